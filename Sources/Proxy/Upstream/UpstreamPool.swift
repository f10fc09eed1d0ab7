import Core
import NIOCore

/// The connections of one loop to one upstream.
///
/// A server has a number here, its endpoint, which stays the same for as long as anything of it is in use; one that is
/// gone drains: what is under way ends, nothing new begins.
///
/// ```
///  choose (+Choice) ─► takeIdle ─┬─ one waited ───────────────────────► exchange ─► giveBack, forget
///                                └─ none: connect (+Connecting) ─► made ─┘
/// ```
final class UpstreamPool {
    unowned let loop: ProxyLoop
    let servers: UpstreamServers
    let description: UpstreamDescription
    let tls: UpstreamTLS?
    private let limits: Limits
    /// Milliseconds that a connection waits here.
    let keepAlive: Int64
    var endpoints: [UpstreamEndpoint] = []
    /// The numbers of those that can be chosen.
    var live: [Int] = []
    /// There is one server, and there will never be another or a reason to refuse it.
    let isPlain: Bool
    let isChecked: Bool
    /// The list of servers that `endpoints` was made of.
    var version: UInt64 = 0
    /// Where the next choice among equals begins.
    var turn: Int
    private(set) var isRetired = false

    init(loop: ProxyLoop, servers: UpstreamServers, tls: UpstreamTLS?, limits: Limits) {
        self.loop = loop
        self.servers = servers
        description = servers.description
        self.tls = tls
        self.limits = limits
        keepAlive = limits.upstreamKeepAlive.wholeMilliseconds
        isChecked = servers.description.health != nil
        isPlain = servers.isFixed && servers.description.addresses.count == 1 && !isChecked
        // Loops that begin at the same server would all send their first requests there.
        turn = Int(truncatingIfNeeded: loop.random() & 0xffff)
        takeServers()
    }

    /// The number of connections: in the pool, and in use.
    var connections: (idle: Int, active: Int) {
        endpoints.reduce((0, 0)) { sum, endpoint in
            let http2 = endpoint.http2?.counts ?? (idle: 0, busy: 0, streams: 0)
            let plain = max(0, endpoint.active - http2.streams)
            return (sum.0 + endpoint.idle.count + http2.idle, sum.1 + plain + http2.busy)
        }
    }

    /// What goes into `Host`, if it is not what the client sent.
    ///
    /// - Parameter asked: the client named a host.
    func authority(of endpoint: Int, asked: Bool = true) -> [UInt8]? {
        guard description.host == .upstream || !asked else { return nil }
        return endpoints.indices.contains(endpoint) ? endpoints[endpoint].authority : []
    }

    /// The server behind a number.
    func server(_ endpoint: Int) -> UpstreamServer { endpoints[endpoint].server }

    // MARK: Connections

    /// A connection that waits, the one used last first; it counts as used from now on.
    func takeIdle(_ endpoint: Int) -> UpstreamHandler? {
        while let handler = endpoints[endpoint].idle.popLast() {
            guard handler.isUsable else { continue }
            count(endpoint, 1)
            return handler
        }
        return nil
    }

    func count(_ endpoint: Int, _ change: Int) {
        endpoints[endpoint].active += change
        if live.count > 1 || endpoints[endpoint].published != 0 { publish(endpoint) }
    }

    /// Where there is no choice nobody asks for the load, and nobody is told.
    func publish(_ endpoint: Int) {
        let change = endpoints[endpoint].active - endpoints[endpoint].published
        guard change != 0 else { return }
        endpoints[endpoint].published += change
        endpoints[endpoint].server.addExchanges(change)
    }

    // MARK: Ends

    /// An exchange is over.
    func giveBack(_ handler: UpstreamHandler, reusable: Bool) {
        count(handler.endpoint, -1)
        guard reusable, !handler.isStream, !isRetired, !endpoints[handler.endpoint].isGone,
            endpoints[handler.endpoint].idle.count < limits.maximumIdleUpstream
        else {
            if reusable { handler.discard() }
            return
        }
        handler.idleUntil = loop.ticks + keepAlive
        endpoints[handler.endpoint].idle.append(handler)
        if !endpoints[handler.endpoint].dials.isEmpty { serveQueueSoon(handler.endpoint) }
    }

    /// Not at once: whoever gives a connection back is in the midst of something.
    private func serveQueueSoon(_ endpoint: Int) {
        loop.eventLoop.assumeIsolated().execute { [self] in serveQueue(endpoint) }
    }

    /// The connection has died, in the pool or in use.
    func forget(_ handler: UpstreamHandler) {
        if !forgetIdle(handler) { count(handler.endpoint, -1) }
    }

    /// - Returns: whether it was in the pool.
    @discardableResult
    func forgetIdle(_ handler: UpstreamHandler) -> Bool {
        guard let place = endpoints[handler.endpoint].idle.firstIndex(where: { $0 === handler }) else { return false }
        endpoints[handler.endpoint].idle.remove(at: place)
        doubt(handler.endpoint)
        return true
    }

    /// Closes what has waited too long, and does for all loops what is due.
    func sweep(_ now: Int64) {
        // What was given back since the last tick may be wanted again at once.
        let oldest = loop.isShortOfUpstreamPlaces ? now - loop.sinceLastTick + keepAlive : now
        for index in endpoints.indices {
            while let first = endpoints[index].idle.first, first.idleUntil <= now || first.idleUntil < oldest {
                endpoints[index].idle.removeFirst()
                first.discard()
            }
            endpoints[index].http2?.sweep(max(now, oldest - 1))
            startDials(index)
        }
        guard !isPlain else { return }
        servers.lookUpDueNames(now)
        if servers.hasChanged(since: version) { takeServers() }
        for index in endpoints.indices {
            if live.count > 1 { publish(index) }
            if endpoints[index].server.isSuspect { endpoints[index].isSuspect = true }
        }
        if servers.takeCheck(now) { checkServers() }
    }

    /// Takes nothing back any more.
    func retire() {
        isRetired = true
        for index in endpoints.indices { discardConnections(index) }
    }

    private func checkServers() {
        guard let check = description.health else { return }
        for index in live {
            HealthCheck(endpoints[index].server, of: servers, check: check, tls: tls, on: loop.eventLoop).run()
        }
    }
}
