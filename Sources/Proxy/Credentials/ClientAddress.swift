import Core
import HTTPWire
import NIOCore

/// The other end of a client connection.
struct Peer: Sendable {
    /// Nil for a unix socket, and where nobody says whose connection it is.
    let address: IPAddress?
    /// The address as `X-Forwarded-For` wants it; empty for a unix socket.
    let text: [UInt8]
    /// It may describe clients and requests, as far as its address says.
    let isTrusted: Bool

    init(_ socket: SocketAddress?, trusted: TrustedProxies) {
        address = socket?.ipAddress.flatMap { IPAddress($0) }
        text = address.map { Array($0.description.utf8) } ?? []
        if let address {
            isTrusted = trusted.contains(address)
        } else if case .unixDomainSocket? = socket {
            isTrusted = trusted.unix
        } else {
            isTrusted = false
        }
    }
}

/// Finds the client behind trusted proxies. Only this looks at `X-Forwarded-For`.
enum ClientAddress {
    /// The right-most address that is not a trusted proxy.
    ///
    /// - Returns: nil, "unknown", when none is left, or when the entry that decides is missing or no address: an
    ///   unknown address is in no network.
    static func resolve(
        peer: Peer, peerIsTrusted: Bool, trusted: TrustedProxies, head: RequestHead, bytes: UnsafeRawBufferPointer,
        scan: HeadScan
    ) -> IPAddress? {
        guard peerIsTrusted else { return peer.address }
        guard scan.forwardedFor > 0 else { return nil }
        for index in head.fields.indices.reversed() where head.fields[index].id == .xForwardedFor {
            switch rightmost(in: head.fields[index].value.bytes(in: bytes), trusted: trusted) {
            case .found(let address): return address
            case .malformed: return nil
            case .onlyTrusted: continue
            }
        }
        return nil
    }

    private enum Search {
        case found(IPAddress), malformed, onlyTrusted
    }

    private static func rightmost(in value: UnsafeRawBufferPointer, trusted: TrustedProxies) -> Search {
        var end = value.count
        while true {
            var start = end
            while start > 0, value[start - 1] != UInt8(ascii: ",") { start -= 1 }
            let entry = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: value[start..<end]))
            let characters = entry.bindMemory(to: UInt8.self)
            guard let address = IPAddress(ascii: characters.span) else { return .malformed }
            guard trusted.contains(address) else { return .found(address) }
            guard start > 0 else { return .onlyTrusted }
            end = start - 1
        }
    }
}
