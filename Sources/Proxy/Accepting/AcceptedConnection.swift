import Core
import Logging
import NIOCore
import NIOSSL

/// From an accepted socket to the handlers that serve it: who may connect, whose connection it is, and in which order
/// things stand on it.
///
/// ```
///   (PROXY protocol) ─► (hello) ─► (TLS) ─► FrontHandler
/// ```
struct AcceptedConnection {
    let channel: any Channel
    let loop: ProxyLoop
    let role: ListenerRole

    /// - Parameter address: the socket's.
    /// - Throws: when the connection is not to be served; the channel is closed then.
    func begin(_ address: SocketAddress?) throws {
        try takePlace()
        guard role.takesProxyProtocol else { return try install(address) }
        guard Peer(address, trusted: loop.site.configuration.trustedProxies).isTrusted else {
            loop.counters.countRefusedConnection(.proxyProtocol)
            let peer = loop.describe(address)
            loop.logRarely(
                "proxy_protocol \(peer)", .warning,
                "a connection to a listener with proxy_protocol was closed: its peer is not in trusted_proxies"
            ) { ["peer": "\(peer)"] }
            throw NotServed()
        }
        let limits = loop.site.configuration.limits
        let timeout = role.tls == nil ? limits.headTimeout : limits.handshakeTimeout
        try channel.pipeline.syncOperations.addHandler(
            ProxyProtocolHandler(
                loop: loop, socketAddress: address, timeout: .milliseconds(timeout.wholeMilliseconds),
                install: { try install($0) }))
    }

    struct NotServed: Error {}

    /// One of all the connections that there may be.
    private func takePlace() throws {
        let shared = loop.shared
        guard shared.takeConnection(maximum: loop.site.configuration.limits.maximumConnections) else {
            loop.counters.countRefusedConnection(.full)
            throw NotServed()
        }
        channel.closeFuture.whenComplete { _ in shared.returnConnection() }
    }

    /// - Parameter address: the client's, as far as it is known.
    private func install(_ address: SocketAddress?) throws {
        try takePlace(of: address)
        let pipeline = channel.pipeline.syncOperations
        var security: ConnectionSecurity?
        if let tls = role.tls {
            if tls.verifiesClients {
                let own = ConnectionSecurity(tls)
                security = own
                try pipeline.addHandler(ConnectionSecurity.HelloHandler(own))
            }
            try pipeline.addHandler(tls.makeHandler())
        }
        let connection = ClientConnection(role: role, address: address, security: security)
        try pipeline.addHandler(FrontHandler(loop: loop, connection: connection))
    }

    /// One of the connections that this client may have. Proxies have those of many clients, and are not counted.
    private func takePlace(of socketAddress: SocketAddress?) throws {
        let configuration = loop.site.configuration
        guard let address = socketAddress?.ipAddress.flatMap({ IPAddress($0) }),
            !configuration.trustedProxies.contains(address),
            !configuration.exemptNetworks.contains(where: { $0.contains(address) })
        else { return }
        let clients = loop.shared.clients
        let client = ClientConnections.Client(address)
        let now = ProxyLoop.monotonicMilliseconds()
        switch clients.take(client, maximum: configuration.connectionsPerClient, now: now) {
        case .taken: channel.closeFuture.whenComplete { _ in clients.giveBack(client) }
        case .refused(let isNews):
            loop.counters.countRefusedConnection(.perClient)
            if isNews {
                loop.logger.warning(
                    "a client has as many connections as it may have; more are closed",
                    metadata: [
                        "address": "\(address)", "connections_per_client": "\(configuration.connectionsPerClient)",
                    ])
            }
            throw NotServed()
        }
    }
}
