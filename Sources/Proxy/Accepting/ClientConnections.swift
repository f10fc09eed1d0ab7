import Core
import Synchronization

/// How many connections each client has, over all loops. Touched when a connection begins and when it ends, never for a
/// request; holds no entry for a client without a connection, so it is bounded by the connections that there may be.
final class ClientConnections: Sendable {
    /// Whose connections are counted together: an IPv4 address, or an IPv6 network of 64 bits, of which one client has
    /// all.
    struct Client: Hashable, Sendable {
        let prefix: UInt64
        let isV6: Bool

        init(_ address: IPAddress) {
            switch address.family {
            case .v4:
                prefix = UInt64(truncatingIfNeeded: address.bits)
                isV6 = false
            case .v6:
                prefix = UInt64(truncatingIfNeeded: address.bits >> 64)
                isV6 = true
            }
        }
    }

    enum Answer: Equatable {
        case taken
        /// - Parameter isNews: nobody was told in the last minute.
        case refused(isNews: Bool)
    }

    private struct Entry {
        var count = 0
        /// Milliseconds of the monotonic clock.
        var toldAt: Int64?
    }

    private final class Shard: Sendable {
        let entries = Mutex<[Client: Entry]>([:])
    }

    /// So that loops which accept at the same time seldom wait for one another.
    private let shards = (0..<16).map { _ in Shard() }
    /// Between two words about the same client.
    private static let silence: Int64 = 60_000

    private func shard(_ client: Client) -> Shard {
        // The low bits of an address say more than its hash costs.
        shards[Int(truncatingIfNeeded: (client.prefix ^ client.prefix >> 16 ^ client.prefix >> 32) & 15)]
    }

    /// - Parameter now: milliseconds of the monotonic clock.
    func take(_ client: Client, maximum: Int, now: Int64) -> Answer {
        shard(client).entries.withLock { entries in
            var entry = entries[client] ?? Entry()
            guard entry.count < maximum else {
                let isNews = entry.toldAt.map { now - $0 >= Self.silence } ?? true
                if isNews, entry.count > 0 {
                    entry.toldAt = now
                    entries[client] = entry
                }
                return .refused(isNews: isNews)
            }
            entry.count += 1
            entries[client] = entry
            return .taken
        }
    }

    func giveBack(_ client: Client) {
        shard(client).entries.withLock { entries in
            guard var entry = entries[client] else { return }
            entry.count -= 1
            entries[client] = entry.count > 0 ? entry : nil
        }
    }

    /// Clients with at least one connection.
    var count: Int { shards.reduce(0) { $0 + $1.entries.withLock { $0.count } } }
}
