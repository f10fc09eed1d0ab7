import Core
import HTTPWire
import Policy

/// What a client certificate means for the requests of its connection.
extension FrontHandler {
    /// Whom the certificate proves; asked only when no header has anything of ours. A trusted proxy shows its own
    /// certificate, whoever the request is of: that proves nobody, and neither does the one of a checking proxy.
    func certificateState(at now: Timestamp) -> CredentialState {
        guard let security, current.shape != .check, !peer.isTrusted else { return .none }
        if security.hasLostAuthority {
            // On another connection it is verified anew.
            exchange.closeAfterwards()
            connection.multiplexed?.stopSoon()
            return .refused(CredentialRefusal(.credentialRevoked))
        }
        return security.credential(loop.context.credentials, at: now)
    }

    /// Somebody was let through by a certificate that TLS might not verify any more.
    func hasLostCertificate(_ identity: Identity?) -> Bool {
        identity?.kind == .certificate && security?.hasLostAuthority == true
    }

    /// TLS was agreed on for one host, and the request is for another whose route is not the same: a connection that a
    /// browser uses for several hosts must not carry a certificate to where it would not have been shown. Without a name
    /// in TLS there is nothing to disagree: who may have issued certificates does not depend on it.
    func namesDisagree(_ incoming: borrowing Incoming, _ security: ConnectionSecurity) -> Bool {
        guard let asked = security.serverName else { return false }
        let head = incoming.head
        let host = head.host.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        let name = Array(asked.utf8)
        // Without a host only a route for any host fits, and that one fits both.
        guard let canonical = HostName.canonical(name.span), !host.isEmpty else { return !host.isEmpty }
        if HostName.canonical(host.span) == canonical { return false }
        switch OwnPath(head.path.bytes(in: incoming.bytes)) {
        case .check: return false
        case .portal: return true
        case .wellKnown, nil: break
        }
        let method = head.method.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        let path = head.path.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        func route(_ host: Span<UInt8>) -> Int? {
            site.snapshot.route(
                for: Facts(
                    method: method.span, host: host, path: path.span, clientAddress: nil, isPreflight: false,
                    now: incoming.now))?.index
        }
        return route(host.span) != route(name.span)
    }
}
