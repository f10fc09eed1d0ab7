internal import Core
internal import Policy
internal import Proxy
internal import Settings

extension Settings {
    /// What the front is configured with.
    ///
    /// - Parameters:
    ///   - descriptors: what the process has.
    ///   - listeners: what they become; of no account for a reload.
    /// - Throws: ``PolicyError``; not for settings that were loaded without problems.
    func proxyConfiguration(
        generation: UInt64, descriptors: DescriptorBudget, listeners: [ListenerDescription] = []
    ) throws -> Proxy.Configuration {
        let positions = Dictionary(
            upstreams.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        var configuration = Proxy.Configuration(
            listeners: listeners, publicURL: publicURL.description,
            snapshot: try snapshot(generation: generation),
            routes: routes.map { route in
                RouteParameters(
                    upstream: route.upstream.flatMap { positions[$0] }, stripPrefix: route.stripPrefix,
                    maximumBody: route.maximumBody, forwardCredential: route.forwardsCredential,
                    tokenProviders: tokenProviders(of: route))
            },
            upstreams: upstreams.map(Self.upstream))
        configuration.monitor = try Self.address(monitorListener, mode: 0o660, group: nil, PassedSockets())
        configuration.trustedProxies = Proxy.TrustedProxies(
            networks: trustedProxies.networks, unix: trustedProxies.unix)
        configuration.proxySecret = proxySecret
        configuration.limits.maximumConnections = descriptors.connections
        configuration.limits.maximumUpstreamConnections = descriptors.upstreamConnections
        configuration.connectionsPerClient = limits.connectionsPerClient
        configuration.exemptNetworks = limits.exemptNetworks
        configuration.requestLog = Self.requestLog(log.requests)
        configuration.cookieName = sessions.cookieName
        configuration.cookieDomain = sessions.cookieDomain
        return configuration
    }

    /// What the front listens at.
    ///
    /// - Throws: when a socket was not passed.
    func listenerDescriptions(_ passed: PassedSockets) throws -> [ListenerDescription] {
        try listeners.map { try Self.listener($0, passed) }
    }

    private static func listener(_ listener: Listener, _ passed: PassedSockets) throws -> ListenerDescription {
        var surfaces: Surfaces = []
        for service in listener.services {
            switch service {
            case .apps: surfaces.insert(.apps)
            case .portal: surfaces.insert(.portal)
            case .check: surfaces.insert(.check)
            }
        }
        return ListenerDescription(
            address: try address(
                listener.address, mode: UInt32(listener.unixMode), group: listener.unixGroup, passed),
            serve: surfaces, tls: listener.tls.map(tls), redirectsToHTTPS: listener.redirectsToHTTPS,
            takesProxyProtocol: listener.takesProxyProtocol)
    }

    private static func address(
        _ address: ListenAddress, mode: UInt32, group: String?, _ passed: PassedSockets
    ) throws -> ListenerAddress {
        switch address {
        case .tcp(let host, let port): .tcp(host: host, port: Int(port))
        case .unix(let path): .unix(path: path, mode: mode, group: group)
        case .systemd(let name): .passed(name: name, descriptors: try passed.listening(name))
        }
    }

    private static func upstream(_ upstream: Upstream) -> UpstreamDescription {
        UpstreamDescription(
            name: upstream.name,
            addresses: upstream.endpoints.map { endpoint in
                switch endpoint {
                case .http(let host, let port): .tcp(host: host, port: Int(port))
                case .https(let host, let port): .tls(host: host, port: Int(port))
                case .h2c(let host, let port): .h2c(host: host, port: Int(port))
                case .unix(let path): .unix(path: path)
                }
            },
            host: upstream.hostHeader == .preserve ? .preserve : .upstream,
            connectTimeout: upstream.connectTimeout, firstByteTimeout: upstream.firstByteTimeout,
            idleTimeout: upstream.idleTimeout, tls: upstream.tls.map(tls) ?? UpstreamTLSDescription(),
            health: upstream.health.map { HealthCheckDescription(path: $0.path, every: $0.every) })
    }

    private static func tls(_ tls: ListenerTLS) -> Proxy.ListenerTLS {
        Proxy.ListenerTLS(
            certificates: tls.certificates.map { KeyPairFiles(certificate: $0.certificate, privateKey: $0.privateKey) },
            minimum: tls.minimum == .v12 ? .v12 : .v13, clientAuthorities: tls.clientAuthorities)
    }

    private static func tls(_ tls: UpstreamTLS) -> UpstreamTLSDescription {
        UpstreamTLSDescription(
            authorities: tls.authorities.map { .file($0) } ?? .system, serverName: tls.serverName,
            keyPair: tls.keyPair.map { KeyPairFiles(certificate: $0.certificate, privateKey: $0.privateKey) })
    }

    private static func requestLog(_ requests: Log.Requests) -> RequestLog {
        switch requests {
        case .none: .none
        case .denied: .denied
        case .all: .all
        case .share(let percent): .sampled(oneIn: UInt32(max(1, min(1_000_000, (100 / percent).rounded()))))
        }
    }
}
