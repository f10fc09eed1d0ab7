public import Core
public import Policy

/// Everything that the front needs to know. Immutable and replaced whole: a loop takes one reference at the start of an
/// exchange and keeps to it until the exchange ends.
public struct Configuration: Sendable {
    /// Where to listen; read at the start only.
    public var listeners: [ListenerDescription]
    /// Where `/healthz`, `/readyz` and `/metrics` are answered; nil: nowhere. Read at the start only.
    public var monitor: ListenerAddress?
    /// The origin of the portal without a trailing slash, `https://auth.example.com`: issuer of our own tokens.
    public var publicURL: String
    /// The compiled routes and rules.
    public var snapshot: Snapshot
    /// How each route of `snapshot` is forwarded, by the route's index.
    public var routes: [RouteParameters]
    /// The apps' servers; `RouteParameters.upstream` is an index into them.
    public var upstreams: [UpstreamDescription]
    /// Who may describe a client or a request.
    public var trustedProxies: TrustedProxies
    /// What a trusted proxy must also send as `Gatehouse-Proxy-Secret`; nil: nothing.
    public var proxySecret: SecretBytes?
    /// Further names that are taken out of requests like the reserved families, as the configured identity headers
    /// are.
    public var reservedHeaders: [String]
    /// The name of our session cookie, which no app may set.
    public var cookieName: String
    /// The domain of the cookie that apps see; nil: host-only.
    public var cookieDomain: String?
    /// What a slow or greedy client may take.
    public var limits: Limits
    /// How many connections one client may have: an address, or 64 bits of IPv6.
    public var connectionsPerClient: Int
    /// Clients that no limit per client is for, besides the trusted proxies.
    public var exemptNetworks: [Network]
    /// Which exchanges get an access line.
    public var requestLog: RequestLog
    /// The page that a refusal names; nil: `publicURL` with `/.auth/login`.
    public var loginURL: String?

    /// Everything else has the defaults of the configuration file.
    public init(
        listeners: [ListenerDescription], publicURL: String, snapshot: Snapshot, routes: [RouteParameters],
        upstreams: [UpstreamDescription]
    ) {
        self.listeners = listeners
        self.monitor = nil
        self.publicURL = publicURL
        self.snapshot = snapshot
        self.routes = routes
        self.upstreams = upstreams
        self.trustedProxies = TrustedProxies()
        self.proxySecret = nil
        self.reservedHeaders = []
        self.cookieName = "gatehouse"
        self.cookieDomain = nil
        self.limits = Limits()
        self.connectionsPerClient = 512
        self.exemptNetworks = []
        self.requestLog = .denied
        self.loginURL = nil
    }
}

/// A place to listen at.
public enum ListenerAddress: Sendable, Hashable {
    /// A numeric address or a name, and a port; port 0 takes a free one.
    case tcp(host: String, port: Int)
    /// A socket file with its mode; `group` is a name or a number, nil: the process's.
    case unix(path: String, mode: UInt32, group: String?)
    /// Sockets that listen already, made by whoever started us and kept open there when we close ours; `name` is for
    /// messages.
    case passed(name: String, descriptors: [Int32])
}

/// One listener and what it answers; the rest is 404 there.
public struct ListenerDescription: Sendable, Hashable {
    /// Where.
    public var address: ListenerAddress
    /// What.
    public var serve: Surfaces
    /// Nil: plain.
    public var tls: ListenerTLS?
    /// Everything but a check is sent to the same host's https.
    public var redirectsToHTTPS: Bool
    /// Only trusted peers may connect, and every connection begins with a PROXY protocol header, version 2.
    public var takesProxyProtocol: Bool

    /// Serves everything, and plainly, unless told otherwise.
    public init(
        address: ListenerAddress, serve: Surfaces = .all, tls: ListenerTLS? = nil, redirectsToHTTPS: Bool = false,
        takesProxyProtocol: Bool = false
    ) {
        self.address = address
        self.serve = serve
        self.tls = tls
        self.redirectsToHTTPS = redirectsToHTTPS
        self.takesProxyProtocol = takesProxyProtocol
    }
}

/// The three faces that a listener may show.
public struct Surfaces: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    /// Wraps the bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Routes with their upstreams.
    public static let apps = Surfaces(rawValue: 1)
    /// `/.auth/` but for the check endpoints.
    public static let portal = Surfaces(rawValue: 2)
    /// `/.auth/check/…`.
    public static let check = Surfaces(rawValue: 4)
    /// All of them.
    public static let all: Surfaces = [.apps, .portal, .check]
}

/// How one route is forwarded.
public struct RouteParameters: Sendable, Hashable {
    /// Index into `Configuration.upstreams`; nil: the route is for checks only and inline it is 404 `no_upstream`.
    public var upstream: Int?
    /// Taken off the front of the path before the app sees it; empty: nothing.
    public var stripPrefix: String
    /// More bytes of body are refused with 413; nil: no limit.
    public var maximumBody: UInt64?
    /// A JWT of a configured issuer goes on to the app.
    public var forwardCredential: Bool
    /// Whose access tokens go on to the app, where the route forwards any.
    public var tokenProviders: [TokenProvider]

    /// All fields, named as they are.
    public init(
        upstream: Int?, stripPrefix: String = "", maximumBody: UInt64? = nil, forwardCredential: Bool = true,
        tokenProviders: [TokenProvider] = []
    ) {
        self.upstream = upstream
        self.stripPrefix = stripPrefix
        self.maximumBody = maximumBody
        self.forwardCredential = forwardCredential
        self.tokenProviders = tokenProviders
    }
}

/// An app's servers.
public struct UpstreamDescription: Sendable, Hashable {
    /// Which `Host` the app sees.
    public enum HostPolicy: Sendable, Hashable {
        /// The one that the client sent.
        case preserve
        /// The server's own.
        case upstream
    }

    /// Where a server listens.
    public enum Address: Sendable, Hashable {
        /// A name or a numeric address (IPv6 without brackets), spoken to in HTTP/1.1.
        case tcp(host: String, port: Int)
        /// The same, by TLS, in HTTP/2 where the server chooses that.
        case tls(host: String, port: Int)
        /// The same, plainly and in HTTP/2 without asking.
        case h2c(host: String, port: Int)
        /// A socket file.
        case unix(path: String)
    }

    /// The name in the configuration, for logs and metrics.
    public var name: String
    /// At least one.
    public var addresses: [Address]
    /// Which `Host` the app sees.
    public var host: HostPolicy
    /// For the connection to be made, name resolution and TLS included.
    public var connectTimeout: Duration
    /// From the whole request to the first byte of its answer.
    public var firstByteTimeout: Duration
    /// Between two pieces of a body.
    public var idleTimeout: Duration
    /// For the addresses that are spoken to by TLS.
    public var tls: UpstreamTLSDescription
    /// How servers are asked whether they are well; nil: not at all.
    public var health: HealthCheckDescription?

    /// Has the defaults of the configuration file.
    public init(
        name: String, addresses: [Address], host: HostPolicy = .preserve, connectTimeout: Duration = .seconds(5),
        firstByteTimeout: Duration = .seconds(60), idleTimeout: Duration = .seconds(3600),
        tls: UpstreamTLSDescription = UpstreamTLSDescription(), health: HealthCheckDescription? = nil
    ) {
        self.name = name
        self.addresses = addresses
        self.host = host
        self.connectTimeout = connectTimeout
        self.firstByteTimeout = firstByteTimeout
        self.idleTimeout = idleTimeout
        self.tls = tls
        self.health = health
    }
}

/// A request that a server which is well answers with 2xx or 3xx.
public struct HealthCheckDescription: Sendable, Hashable {
    /// What is asked for, with `GET`: a path that begins with `/`, and its query.
    public var path: String
    /// From one check to the next; no check takes longer.
    public var every: Duration

    /// Both fields, named as they are.
    public init(path: String, every: Duration) {
        self.path = path
        self.every = every
    }
}

/// Peers that are believed when they describe a client or a request.
public struct TrustedProxies: Sendable, Hashable {
    /// By address.
    public var networks: [Network]
    /// Whoever comes over a unix socket.
    public var unix: Bool

    /// Nobody unless told otherwise.
    public init(networks: [Network] = [], unix: Bool = false) {
        self.networks = networks
        self.unix = unix
    }

    func contains(_ address: IPAddress) -> Bool {
        networks.contains { $0.contains(address) }
    }
}

/// What one client may take before it is cut off.
public struct Limits: Sendable, Hashable {
    /// For a client to agree on TLS.
    public var handshakeTimeout: Duration = .seconds(10)
    /// For a whole request head, from its first byte.
    public var headTimeout: Duration = .seconds(30)
    /// Between two requests of a connection.
    public var keepAliveTimeout: Duration = .seconds(75)
    /// Between two pieces of a request body, or of an answer that the client takes.
    public var bodyTimeout: Duration = .seconds(60)
    /// When it has been waited so long for a request body of a known length, or for one for ourselves, it must have come
    /// at `minimumBodyRate`.
    public var bodyGrace: Duration = .seconds(60)
    /// In bytes a second, counted from the beginning of the body without the time in which the upstream took none of it.
    /// Clients that take an answer slowly have to take as much.
    public var minimumBodyRate: Int64 = 240
    /// Connections of all listeners together; who comes then waits until one of them ends. Read at the start only.
    public var maximumConnections: Int = 16_384
    /// Connections to upstreams, of all loops together, idle ones included; who needs another waits until one of them ends.
    public var maximumUpstreamConnections: Int = 16_384
    /// Idle connections kept for one server address and loop.
    public var maximumIdleUpstream: Int = 256
    /// How long an idle connection to an upstream is kept.
    public var upstreamKeepAlive: Duration = .seconds(50)
    /// When the server stops, a connection without a request is closed after so long: a request that is on its way
    /// already is still answered, with `Connection: close`.
    public var lingering: Duration = .seconds(1)
    /// Between two pieces for an end that sends nothing more, or whose connection only waits for the rest of an answer to
    /// be taken: it may be gone altogether.
    public var halfClosedTimeout: Duration = .seconds(30)
    /// From then on an exchange is one that lasts, and is judged again while it does.
    public var lastingAfter: Duration = .milliseconds(150)
    /// How often timeouts are looked at.
    public var tick: Duration = .milliseconds(250)

    /// The defaults.
    public init() {}
}

/// Which exchanges get an access line.
public enum RequestLog: Sendable, Hashable {
    case none
    /// Refusals and failures.
    case denied
    case all
    /// One in so many, and every refusal and failure.
    case sampled(oneIn: UInt32)
}
