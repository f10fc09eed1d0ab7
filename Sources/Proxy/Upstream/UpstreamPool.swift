import Core
import Logging
import NIOCore
import NIOPosix

/// The connections of one loop to one upstream.
///
/// A server has a number here, its endpoint, which stays the same for as long as anything of it is in use; one that is
/// gone drains: what is under way ends, nothing new begins.
final class UpstreamPool {
    private struct Endpoint {
        let server: UpstreamServer
        let authority: [UInt8]
        var idle: [UpstreamHandler] = []
        /// What it has of HTTP/2, once it has been asked for anything.
        var http2: UpstreamConnections?
        /// Exchanges of this loop.
        var active = 0
        /// How many of them the other loops know of.
        var published = 0
        /// A success is worth telling.
        var isSuspect = false
        var isGone = false
        /// It has closed a connection that was idle, so it may be about to stop: others come first for a moment.
        var doubtedUntil: Int64 = 0
    }

    private static let doubt: Int64 = 1_000

    private unowned let loop: ProxyLoop
    let servers: UpstreamServers
    let description: UpstreamDescription
    let tls: UpstreamTLS?
    private let limits: Limits
    /// Milliseconds that a connection waits here.
    private let keepAlive: Int64
    private var endpoints: [Endpoint] = []
    /// The numbers of those that can be chosen.
    private var live: [Int] = []
    /// There is one server, and there will never be another or a reason to refuse it.
    private let isPlain: Bool
    private let isChecked: Bool
    private var version: UInt64 = 0
    private var turn: Int
    private var isRetired = false

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

    // MARK: Which servers there are

    private func takeServers() {
        let current = servers.current
        version = current.version
        // Only what was free before this: a lease that waited for other addresses has the old ones in its mask.
        var free = endpoints.indices.filter { endpoints[$0].isGone && isUnused($0) }
        for index in endpoints.indices where !current.servers.contains(where: { $0 === endpoints[index].server }) {
            endpoints[index].isGone = true
            discardConnections(index)
        }
        live = current.servers.map { server in
            if let known = endpoints.firstIndex(where: { $0.server === server && !$0.isGone }) { return known }
            let made = Endpoint(server: server, authority: server.address.authority, isSuspect: server.isSuspect)
            guard let place = free.popLast() else {
                endpoints.append(made)
                return endpoints.count - 1
            }
            endpoints[place] = made
            return place
        }
        for index in endpoints.indices where live.count > 1 || endpoints[index].published != 0 { publish(index) }
    }

    private func isUnused(_ index: Int) -> Bool {
        endpoints[index].active == 0 && endpoints[index].published == 0 && endpoints[index].idle.isEmpty
    }

    private func discardConnections(_ index: Int) {
        let idle = endpoints[index].idle
        endpoints[index].idle = []
        for handler in idle { handler.discard() }
        endpoints[index].http2?.retire()
        endpoints[index].http2 = nil
    }

    // MARK: The choice

    /// The server with the fewest exchanges of all loops, in turn among equals; one that is passed over only when it is
    /// due to be tried or there is no other, and one that fails its checks never.
    func choose(notIn tried: UInt64) -> Int? {
        if isPlain { return tried & 1 == 0 ? 0 : nil }
        if servers.hasChanged(since: version) { takeServers() }
        guard live.count == 1, let only = live.first else { return chooseAmongAll(notIn: tried) }
        guard tried >> UInt64(only & 63) & 1 == 0, !isChecked || !endpoints[only].server.isIll else { return nil }
        return only
    }

    private func chooseAmongAll(notIn tried: UInt64) -> Int? {
        turn &+= 1
        while true {
            var best: (endpoint: Int, rank: Rank, load: Int)?
            for offset in live.indices {
                let candidate = live[(turn &+ offset) % live.count]
                let server = endpoints[candidate].server
                guard tried >> UInt64(candidate & 63) & 1 == 0, !isChecked || !server.isIll else { continue }
                let rank = rank(of: server, doubtedUntil: endpoints[candidate].doubtedUntil)
                let load = server.exchanges
                if let best, (best.rank, best.load) <= (rank, load) { continue }
                best = (candidate, rank, load)
            }
            guard let best else { return nil }
            // Whoever comes first tries it; for the others its pause has begun anew.
            guard best.rank == .due, !endpoints[best.endpoint].server.takeProbe(at: loop.ticks) else {
                return best.endpoint
            }
        }
    }

    private enum Rank: Int, Comparable {
        case due, fit, doubted, paused, unresolved

        static func < (left: Rank, right: Rank) -> Bool { left.rawValue < right.rawValue }
    }

    private func rank(of server: UpstreamServer, doubtedUntil: Int64) -> Rank {
        guard server.socketAddress != nil else { return .unresolved }
        guard let end = server.pausedUntil else { return doubtedUntil > loop.ticks ? .doubted : .fit }
        return end <= loop.ticks ? .due : .paused
    }

    // MARK: What becomes of it

    /// An answer began.
    func answered(_ endpoint: Int) {
        guard endpoints[endpoint].isSuspect else { return }
        endpoints[endpoint].isSuspect = false
        let server = endpoints[endpoint].server
        guard server.succeeded(at: loop.ticks) == .returned else { return }
        loop.logger.notice(
            "a server of an upstream answers again and is used like the others",
            metadata: ["upstream": "\(description.name)", "server": "\(server.label)"])
    }

    /// It has closed a connection that it could have kept.
    func doubt(_ endpoint: Int) {
        endpoints[endpoint].doubtedUntil = loop.ticks + Self.doubt
    }

    /// There will be no answer, and that says something about the server. One that has no other beside it is never
    /// passed over.
    func blame(_ endpoint: Int, _ kind: UpstreamFailure) {
        guard live.count > 1, let fault = kind.fault else { return }
        endpoints[endpoint].isSuspect = true
        let server = endpoints[endpoint].server
        let jitter = Double(loop.random() >> 11) / Double(1 << 53)
        guard case .ejected(let pause) = server.failed(fault, at: loop.ticks, jitter: jitter) else { return }
        servers.countEjection()
        loop.logger.warning(
            "a server of an upstream is passed over for a while",
            metadata: [
                "upstream": "\(description.name)", "server": "\(server.label)", "kind": "\(kind.label)",
                "milliseconds": "\(pause)",
            ])
    }

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

    private func count(_ endpoint: Int, _ change: Int) {
        endpoints[endpoint].active += change
        if live.count > 1 || endpoints[endpoint].published != 0 { publish(endpoint) }
    }

    /// Where there is no choice nobody asks for the load, and nobody is told.
    private func publish(_ endpoint: Int) {
        let change = endpoints[endpoint].active - endpoints[endpoint].published
        guard change != 0 else { return }
        endpoints[endpoint].published += change
        endpoints[endpoint].server.addExchanges(change)
    }

    /// Makes a new connection, or a stream of one; it counts as used from now on.
    ///
    /// - Parameter forTunnel: it will not come back and may be idle for long: its buffers are small.
    func connect(
        _ endpoint: Int, forTunnel: Bool = false, then: @escaping (Result<UpstreamHandler, any Error>) -> Void
    ) {
        let server = endpoints[endpoint].server
        guard server.socketAddress != nil else { return awaitAddress(of: server, then) }
        count(endpoint, 1)
        func settle(_ result: Result<UpstreamHandler, any Error>) {
            if case .failure(let error) = result {
                count(endpoint, -1)
                blame(endpoint, UpstreamFailure(connecting: error))
                servers.doubtAddresses(loop.ticks)
            }
            then(result)
        }
        if !forTunnel, let http2 = http2(of: endpoint) { return http2.open(settle) }
        let handler = UpstreamHandler(loop: loop, pool: self, endpoint: endpoint)
        let future = dial(endpoint, forTunnel: forTunnel) { channel, _ in
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        future.assumeIsolated().whenComplete { settle($0.map { handler }) }
    }

    /// Nil where only HTTP/1.1 is spoken.
    private func http2(of endpoint: Int) -> UpstreamConnections? {
        if let http2 = endpoints[endpoint].http2 { return http2 }
        let hasPriorKnowledge: Bool
        switch endpoints[endpoint].server.address {
        case .tcp, .unix: return nil
        case .h2c: hasPriorKnowledge = true
        case .tls: hasPriorKnowledge = false
        }
        let http2 = UpstreamConnections(
            loop: loop, pool: self, endpoint: endpoint, hasPriorKnowledge: hasPriorKnowledge,
            keepAlive: limits.upstreamKeepAlive.wholeMilliseconds)
        if isRetired || endpoints[endpoint].isGone { http2.retire() } else { endpoints[endpoint].http2 = http2 }
        return http2
    }

    /// A connection to a server.
    ///
    /// - Parameters:
    ///   - forTunnel: HTTP/1.1 and nothing else, with small buffers.
    ///   - install: puts the handlers into the channel, given the protocol that TLS has agreed on.
    /// - Returns: succeeds when they are in their place and the connection is there; fails later than this returns.
    func dial(
        _ endpoint: Int, forTunnel: Bool = false, install: @escaping (any Channel, String?) throws -> Void
    ) -> EventLoopFuture<Void> {
        let server = endpoints[endpoint].server
        let handshake: UpstreamHandshake?
        let address: SocketAddress
        do {
            if forTunnel, case .h2c = server.address { throw UpstreamCannotTunnel() }
            guard let known = server.socketAddress else {
                throw UnresolvedHost(host: server.label, problem: "its address has gone")
            }
            address = known
            handshake = try makeHandshake(server.address, forTunnel, install)
        } catch {
            return loop.eventLoop.submit { throw error }
        }
        let bound = NIOLoopBound((install, handshake), eventLoop: loop.eventLoop)
        var bootstrap = self.bootstrap(to: address)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (install, handshake) = bound.value
                    guard let handshake else { return try install(channel, nil) }
                    try handshake.begin(on: channel)
                }
            }
        if forTunnel { bootstrap = bootstrap.channelOption(.recvAllocator, value: PassingBuffers(first: 128)) }
        let future = bootstrap.connect(to: address)
        return handshake?.outcome(of: future) ?? future.map { _ in }
    }

    /// What every connection to a server of this upstream begins with.
    func bootstrap(to address: SocketAddress) -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: loop.eventLoop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .connectTimeout(.milliseconds(description.connectTimeout.wholeMilliseconds))
        if case .unixDomainSocket = address { return bootstrap }
        return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    /// Nil where the address is spoken to plainly.
    private func makeHandshake(
        _ address: UpstreamDescription.Address, _ forTunnel: Bool,
        _ install: @escaping (any Channel, String?) throws -> Void
    ) throws -> UpstreamHandshake? {
        guard case .tls(let host, _) = address, let tls else { return nil }
        return UpstreamHandshake(
            try tls.makeHandler(for: host, onlyHTTP1: forTunnel), on: loop.eventLoop,
            timeout: .milliseconds(description.connectTimeout.wholeMilliseconds), install: install)
    }

    // MARK: Names

    /// Waits for names to be looked up, as long as a connection may take; no longer than that ago counts as well.
    ///
    /// - Returns: false when there is nothing to wait for; `then` is not called then.
    func awaitNames(_ then: @escaping () -> Void) -> Bool {
        let turn = NIOLoopBoundBox<(() -> Void)?>(then, eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        @Sendable func proceed() {
            let next = turn.value
            turn.value = nil
            next?()
        }
        guard servers.waitForNames(loop.ticks, { eventLoop.execute { proceed() } }) else { return false }
        _ = eventLoop.scheduleTask(in: .milliseconds(description.connectTimeout.wholeMilliseconds)) { proceed() }
        return true
    }

    /// No address is known: the failure comes once there may be one, under another number.
    private func awaitAddress(
        of server: UpstreamServer, _ then: @escaping (Result<UpstreamHandler, any Error>) -> Void
    ) {
        let host = server.address.name ?? server.address.text
        func report() {
            then(.failure(UnresolvedHost(host: host, problem: servers.problem(of: host) ?? "there is no answer yet")))
        }
        guard !awaitNames(report) else { return }
        loop.eventLoop.assumeIsolated().execute(report)
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
        for index in endpoints.indices {
            while let first = endpoints[index].idle.first, first.idleUntil <= now {
                endpoints[index].idle.removeFirst()
                first.discard()
            }
            endpoints[index].http2?.sweep(now)
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
