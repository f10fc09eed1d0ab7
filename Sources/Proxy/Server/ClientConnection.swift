import NIOCore

/// What the exchanges of one client connection have in common: one after the other in HTTP/1.1, all at once in HTTP/2.
/// Bound to its loop.
final class ClientConnection {
    let role: ListenerRole
    /// The other end.
    let address: SocketAddress?

    init(role: ListenerRole, address: SocketAddress?) {
        self.role = role
        self.address = address
    }
}
