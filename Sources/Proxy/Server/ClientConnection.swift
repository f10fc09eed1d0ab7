import NIOCore

/// What the exchanges of one client connection have in common: one after the other in HTTP/1.1, all at once in HTTP/2.
/// Bound to its loop.
final class ClientConnection {
    let role: ListenerRole
    /// The other end, or what a PROXY protocol header told of it; nil: it is not known.
    let address: SocketAddress?
    /// What TLS proved of the other end; nil where nothing is asked of it.
    let security: ConnectionSecurity?
    /// What carries its streams; nil: it speaks HTTP/1.1.
    weak var multiplexed: HTTP2Connection?
    /// What the address came to by the configuration of the last exchange.
    private var known: (site: Site, peer: Peer)?

    init(role: ListenerRole, address: SocketAddress?, security: ConnectionSecurity?) {
        self.role = role
        self.address = address
        self.security = security
    }

    /// What the other end may do by this configuration; not computed again for each stream.
    func peer(by site: Site) -> Peer {
        if let known, known.site === site { return known.peer }
        let peer = Peer(address, trusted: site.configuration.trustedProxies)
        known = (site, peer)
        return peer
    }
}
