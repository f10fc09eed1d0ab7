/// What a listener is to the connections that it accepts.
struct ListenerRole: Sendable {
    let serve: Surfaces
    /// Nil: plain.
    let tls: TLSTerminal?
    let redirectsToHTTPS: Bool
    /// Every connection begins with a header that says whose it is.
    let takesProxyProtocol: Bool
}
