import Core
import Policy

/// The shapes in which a request may reach us, as the `shape` label names them.
enum Shape: Int, CaseIterable, Sendable {
    case inline, check, portal

    var label: String {
        switch self {
        case .inline: "inline"
        case .check: "check"
        case .portal: "portal"
        }
    }
}

/// How an upstream failed, as the `kind` label names it.
enum UpstreamFailure: Int, CaseIterable, Sendable {
    case connect, connectTimeout, firstByteTimeout, idleTimeout, closed, malformed, tls, resolve, unhealthy
    /// HTTP/2: the server gave up this one exchange.
    case reset
    /// The server's protocol cannot do what was asked for.
    case unsupported
    /// There was no descriptor for a connection, which says nothing about the server.
    case noDescriptor

    var label: String {
        switch self {
        case .connect: "connect"
        case .connectTimeout: "connect_timeout"
        case .firstByteTimeout: "first_byte_timeout"
        case .idleTimeout: "idle_timeout"
        case .closed: "closed"
        case .malformed: "malformed"
        case .tls: "tls"
        case .resolve: "resolve"
        case .unhealthy: "unhealthy"
        case .reset: "reset"
        case .unsupported: "unsupported"
        case .noDescriptor: "no_descriptor"
        }
    }

    /// What the client is told.
    var status: Int {
        switch self {
        case .connect, .unhealthy, .noDescriptor: 503
        case .connectTimeout, .firstByteTimeout, .idleTimeout: 504
        case .closed, .malformed, .tls, .resolve, .reset, .unsupported: 502
        }
    }
}

/// Why a connection was not served, as the `reason` label names it.
enum RefusedConnection: Int, CaseIterable, Sendable {
    /// Its client has as many as it may have.
    case perClient
    /// There are as many as there may be.
    case full
    /// There was no descriptor for it; it waits.
    case noDescriptor
    /// The peer may not speak the PROXY protocol, or did not.
    case proxyProtocol

    var label: String {
        switch self {
        case .perClient: "per_client"
        case .full: "full"
        case .noDescriptor: "no_descriptor"
        case .proxyProtocol: "proxy_protocol"
        }
    }
}

/// What one loop has counted. Plain numbers: only that loop writes them, a scrape takes a copy on the loop.
struct LoopCounters: Sendable {
    /// Upper bounds of the duration buckets in microseconds, the last one (infinity) left out.
    static let bounds: [Int64] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000,
    ]

    /// A duration histogram: one more bucket than there are bounds, and the sum in microseconds.
    struct Histogram: Sendable {
        var buckets = [UInt64](repeating: 0, count: LoopCounters.bounds.count + 1)
        var sum: UInt64 = 0

        mutating func add(_ microseconds: Int64) {
            var index = 0
            while index < LoopCounters.bounds.count, microseconds > LoopCounters.bounds[index] { index += 1 }
            buckets[index] &+= 1
            sum &+= UInt64(max(0, microseconds))
        }
    }

    /// What is counted under which labels when a request was not allowed.
    struct RefusalKey: Hashable, Sendable {
        let route: Int
        let shape: Shape
        let verdict: Verdict
        let reason: Reason?
    }

    let routeNames: [String]
    let upstreamNames: [String]
    /// By (route + 1) and shape; place 0 is "no route".
    private(set) var allowed: [UInt64]
    private(set) var refused: [RefusalKey: UInt64] = [:]
    private(set) var seconds: [Histogram]
    /// By upstream and kind.
    private(set) var upstreamErrors: [UInt64]
    private(set) var refusedConnections: [UInt64] = Array(repeating: 0, count: RefusedConnection.allCases.count)

    init(routeNames: [String], upstreamNames: [String]) {
        self.routeNames = routeNames
        self.upstreamNames = upstreamNames
        allowed = Array(repeating: 0, count: (routeNames.count + 1) * Shape.allCases.count)
        seconds = Array(repeating: Histogram(), count: allowed.count)
        upstreamErrors = Array(repeating: 0, count: upstreamNames.count * UpstreamFailure.allCases.count)
    }

    /// - Parameter route: its index; -1 for none.
    mutating func countAllowed(route: Int, shape: Shape) {
        allowed[place(route, shape)] &+= 1
    }

    mutating func countRefused(route: Int, shape: Shape, verdict: Verdict, reason: Reason?) {
        refused[RefusalKey(route: route, shape: shape, verdict: verdict, reason: reason), default: 0] &+= 1
    }

    mutating func time(route: Int, shape: Shape, microseconds: Int64) {
        seconds[place(route, shape)].add(microseconds)
    }

    mutating func countRefusedConnection(_ kind: RefusedConnection) {
        refusedConnections[kind.rawValue] &+= 1
    }

    /// By its name: an exchange may have begun before a reload moved or removed it.
    mutating func countUpstreamError(_ name: String, _ kind: UpstreamFailure) {
        guard let upstream = upstreamNames.firstIndex(of: name) else { return }
        upstreamErrors[upstream * UpstreamFailure.allCases.count + kind.rawValue] &+= 1
    }

    /// The index of the route of this name; -1 when there is none any more.
    func place(ofRoute name: String) -> Int { routeNames.firstIndex(of: name) ?? -1 }

    /// Takes over what was counted under the same names before a reload.
    mutating func inherit(from old: LoopCounters) {
        refusedConnections = old.refusedConnections
        var routes: [Int: Int] = [-1: -1]
        for (index, name) in old.routeNames.enumerated() {
            routes[index] = routeNames.firstIndex(of: name)
        }
        for (from, into) in routes {
            for shape in Shape.allCases {
                let source = old.place(from, shape)
                allowed[place(into, shape)] = old.allowed[source]
                seconds[place(into, shape)] = old.seconds[source]
            }
        }
        for (key, count) in old.refused {
            guard let into = routes[key.route] else { continue }
            refused[RefusalKey(route: into, shape: key.shape, verdict: key.verdict, reason: key.reason)] = count
        }
        for (index, name) in old.upstreamNames.enumerated() {
            guard let into = upstreamNames.firstIndex(of: name) else { continue }
            for kind in UpstreamFailure.allCases {
                let count = UpstreamFailure.allCases.count
                upstreamErrors[into * count + kind.rawValue] = old.upstreamErrors[index * count + kind.rawValue]
            }
        }
    }

    private func place(_ route: Int, _ shape: Shape) -> Int {
        (route + 1) * Shape.allCases.count + shape.rawValue
    }
}
