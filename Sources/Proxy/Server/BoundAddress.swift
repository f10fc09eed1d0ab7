import NIOCore

/// Where something listens, after it does.
public struct BoundAddress: Sendable, Hashable, CustomStringConvertible {
    /// The port; nil for a unix socket.
    public let port: Int?
    /// `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/gatehouse.sock`.
    public let description: String

    init(_ address: SocketAddress?, path: String?) {
        port = path == nil ? address?.port : nil
        if let path {
            description = "unix:\(path)"
        } else if let host = address?.ipAddress, let port = address?.port {
            description = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        } else {
            description = "unknown"
        }
    }
}
