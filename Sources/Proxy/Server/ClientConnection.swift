import NIOCore

/// What the exchanges of one client connection have in common: one after the other in HTTP/1.1, all at once in HTTP/2.
/// Bound to its loop.
final class ClientConnection {
    let role: ListenerRole
    /// The other end, or what a PROXY protocol header told of it; nil: it is not known.
    let address: SocketAddress?
    /// What TLS proved of the other end; nil where nothing is asked of it.
    let security: ConnectionSecurity?

    init(role: ListenerRole, address: SocketAddress?, security: ConnectionSecurity?) {
        self.role = role
        self.address = address
        self.security = security
    }
}
