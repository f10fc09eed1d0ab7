import Core
import HTTPWire
import Logging
import Policy

/// A configuration made ready for the loops: everything that an exchange would otherwise have to compute from it.
final class Site: Sendable {
    /// A route's part.
    struct RouteEntry: Sendable {
        let parameters: RouteParameters
        let stripPrefix: [UInt8]
        let keptTraits: PathTraits
        /// `X-Forwarded-Proto: https` with its line end.
        let protocolLine: [UInt8]
        /// What Envoy is told to take out of the client's request, without its line end.
        let envoyRemovals: [UInt8]
        /// Of its upstream, in milliseconds.
        let firstByteTimeout: Int64
        let idleTimeout: Int64
    }

    let configuration: Configuration
    let patience: Patience
    let snapshot: Snapshot
    let routes: [RouteEntry]
    let hygiene: HeaderHygiene
    let ownCookies: OwnCookies
    let loginURL: String
    /// The portal's host, canonical.
    let portalHost: [UInt8]
    let proxySecret: [UInt8]?
    let redirection: HTTPSRedirection
    /// By upstream; nil where no address is spoken to by TLS.
    let upstreamTLS: [UpstreamTLS?]
    /// By upstream.
    let servers: [UpstreamServers]

    /// - Parameters:
    ///   - old: what was in force before; what is known of servers that stay is kept.
    ///   - names: looks up the names of servers.
    init(
        _ configuration: Configuration, replacing old: Site? = nil, names: NameThreads, logger: Logger
    ) throws(ProxyError) {
        guard configuration.routes.count == configuration.snapshot.routes.count else {
            throw ProxyError(.badConfiguration, "every route of the snapshot needs its parameters")
        }
        var reserved = configuration.reservedHeaders
        for route in configuration.snapshot.routes { reserved += route.headerNames }
        var entries: [RouteEntry] = []
        for (route, parameters) in zip(configuration.snapshot.routes, configuration.routes) {
            if let upstream = parameters.upstream {
                guard configuration.upstreams.indices.contains(upstream),
                    !configuration.upstreams[upstream].addresses.isEmpty
                else {
                    throw ProxyError(.badConfiguration, "route \(route.name) names an upstream that has no address")
                }
            }
            let upstream = parameters.upstream.map { configuration.upstreams[$0] }
            entries.append(
                RouteEntry(
                    parameters: parameters, stripPrefix: Self.prefix(parameters.stripPrefix),
                    keptTraits: Self.traits(route.keepInPath),
                    protocolLine: Array("X-Forwarded-Proto: \(route.scheme.rawValue)\r\n".utf8),
                    envoyRemovals: EnvoyDialect.removals(keeping: route.headerNames),
                    firstByteTimeout: upstream?.firstByteTimeout.wholeMilliseconds ?? .max / 4,
                    idleTimeout: upstream?.idleTimeout.wholeMilliseconds ?? .max / 4))
        }
        var upstreamTLS: [UpstreamTLS?] = []
        for upstream in configuration.upstreams { upstreamTLS.append(try Self.tls(of: upstream, replacing: old)) }
        self.upstreamTLS = upstreamTLS
        servers = configuration.upstreams.map { description in
            let known = old?.servers.first { $0.description.name == description.name }
            if let known, known.description == description { return known }
            return UpstreamServers(description, replacing: known, names: names, logger: logger)
        }
        redirection = HTTPSRedirection(configuration)
        self.configuration = configuration
        patience = Patience(configuration.limits)
        snapshot = configuration.snapshot
        routes = entries
        ownCookies = OwnCookies(
            name: configuration.cookieName, domain: configuration.cookieDomain,
            isSecure: configuration.publicURL.hasPrefix("https:"))
        portalHost = Self.host(of: configuration.publicURL)
        hygiene = HeaderHygiene(reserving: Array(Set(reserved)))
        loginURL = configuration.loginURL ?? configuration.publicURL + "/.auth/login"
        proxySecret = configuration.proxySecret?.withUnsafeBytes { Array($0) }
    }

    /// What was made before goes on where nothing about it has changed, and with it the connections that it has.
    private static func tls(
        of upstream: UpstreamDescription, replacing old: Site?
    ) throws(ProxyError) -> UpstreamTLS? {
        let speaksTLS = upstream.addresses.contains { if case .tls = $0 { true } else { false } }
        guard speaksTLS else { return nil }
        let place = old?.configuration.upstreams.firstIndex { $0.name == upstream.name }
        if let place, let known = old?.upstreamTLS[place], known.isSame(as: upstream.tls) { return known }
        return try UpstreamTLS(upstream.tls)
    }

    /// The host is the portal's.
    func isPortal(_ host: UnsafeRawBufferPointer) -> Bool {
        guard !portalHost.isEmpty else { return false }
        return HostName.canonical(host.bindMemory(to: UInt8.self).span) == portalHost
    }

    private static func host(of origin: String) -> [UInt8] {
        let slashes = UInt8(ascii: "/")
        guard let first = origin.utf8.firstIndex(of: slashes) else { return [] }
        let authority = Array(origin.utf8[first...].drop { $0 == slashes })
        return HostName.canonical(authority.span) ?? []
    }

    /// The name of the upstream behind a route; nil when there is none.
    func upstreamName(of route: Int) -> String? {
        routes[route].parameters.upstream.map { configuration.upstreams[$0].name }
    }

    /// Without the trailing slash: what is left of the path must begin with one.
    private static func prefix(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return bytes
    }

    private static func traits(_ kept: KeptInPath) -> PathTraits {
        var traits: PathTraits = []
        if kept.contains(.encodedSlash) { traits.insert(.encodedSlash) }
        if kept.contains(.encodedBackslash) { traits.insert(.encodedBackslash) }
        if kept.contains(.emptySegment) { traits.insert(.emptySegment) }
        return traits
    }
}
