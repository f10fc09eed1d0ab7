internal import Core
internal import Synchronization

/// Things that wait in memory for a moment, each to be taken once: bounded, also each place's share of them
/// (``FairShares``), so that nobody can push out those of others.
final class BoundedTable<Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        let expiresAt: Timestamp
    }

    private let all: Mutex<FairShares<Entry>>

    /// - Parameters:
    ///   - capacity: of all clients together.
    ///   - siteShare: of an IPv4 address, or a /48.
    ///   - networkShare: of a /64 in it.
    init(capacity: Int = 16_384, siteShare: Int = 2048, networkShare: Int = 128) {
        all = Mutex(FairShares(capacity: capacity, siteShare: siteShare, networkShare: networkShare))
    }

    /// Keeps something under an id that nobody can guess.
    func insert(_ value: Value, id: String, from place: ClientPlace, until expiresAt: Timestamp) {
        all.withLock { $0.insert(Entry(value: value, expiresAt: expiresAt), id: id, from: place) }
    }

    /// Changes what is kept under this id, if it is there still; its time stays the same.
    func change(_ id: String, _ change: @Sendable (inout Value) -> Void) {
        all.withLock { $0.change(id) { change(&$0.value) } }
    }

    /// What was kept under this id, unless its time is over; it is gone from here on, whatever becomes of it.
    func take(_ id: String, at now: Timestamp) -> Value? {
        all.withLock { all in
            guard let entry = all[id] else { return nil }
            all.remove(id)
            return entry.expiresAt > now ? entry.value : nil
        }
    }
}
