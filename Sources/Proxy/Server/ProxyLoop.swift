import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// What one event loop has of its own. Used on that loop only; nothing here is shared with another.
final class ProxyLoop {
    let eventLoop: any EventLoop
    let clock: any WallClock
    let logger: Logger
    let shared: SharedState
    let responders: [any LocalResponder]
    private(set) var site: Site
    private(set) var context: LoopContext
    private(set) var pools: [UpstreamPool] = []
    /// Of configurations before, whose requests still wait for connections.
    private var retiring: [UpstreamPool] = []
    var counters: LoopCounters
    /// Reused for every head; what is needed longer is copied out.
    var head = RequestHead()
    var responseHead = ResponseHead()
    /// The same for answers that go out as HTTP/2.
    var streamHead = ResponseHead()
    /// Reused for every answer, by way of `clearScratch`; free again as soon as the kernel has taken the bytes.
    var scratch = ByteBuffer()
    var identities: IdentityBlockCache
    private var requestIDs: RequestIDSource
    private var dateBytes: [UInt8] = []
    private var dateSecond = Int64.min
    /// Connections of HTTP/1.1 and streams of HTTP/2.
    private var connections: [FrontHandler] = []
    private var multiplexed: [HTTP2Connection] = []
    /// Connections that wait for their close.
    var lingering = 0
    private var watchlist = Watchlist<FrontHandler>()
    private var isSweeping = false
    /// When the next few are judged again.
    private var nextSweep = NIODeadline.distantPast
    private var ticker: RepeatedTask?
    private var sinceSecond: Int64 = 0
    private(set) var isStopping = false
    private var emptied: [EventLoopPromise<Void>] = []
    /// Milliseconds of the monotonic clock at the last tick: what timeouts are measured by.
    private(set) var ticks: Int64
    /// Milliseconds between the last two ticks.
    private(set) var sinceLastTick: Int64 = 0

    init(
        eventLoop: any EventLoop, site: Site, context: LoopContext, services: ProxyServer.Services, shared: SharedState,
        number: Int
    ) {
        self.eventLoop = eventLoop
        self.site = site
        self.context = context
        identities = IdentityBlockCache(capacity: context.rememberedIdentities)
        self.shared = shared
        clock = services.clock
        logger = services.logger
        responders = services.responders
        requestIDs = RequestIDSource(seed: services.seed &+ UInt64(number) &* 0x2545_f491_4f6c_dd1d)
        counters = LoopCounters(
            routeNames: site.snapshot.routes.map(\.name), upstreamNames: site.configuration.upstreams.map(\.name))
        ticks = Self.monotonicMilliseconds()
        pools = makePools(keeping: [])
    }

    /// - Parameter old: pools whose connections go on being used where nothing about their upstream has changed; the
    ///   others are retired.
    private func makePools(keeping old: [UpstreamPool]) -> [UpstreamPool] {
        var old = old
        let pools = zip(site.servers, site.upstreamTLS).map { servers, tls in
            if let place = old.firstIndex(where: { $0.servers === servers && $0.tls === tls }) {
                return old.remove(at: place)
            }
            return UpstreamPool(loop: self, servers: servers, tls: tls, limits: site.configuration.limits)
        }
        for pool in old { pool.retire() }
        retiring += old.filter(\.hasWaitingDials)
        return pools
    }

    static func monotonicMilliseconds() -> Int64 {
        Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    func startTicking() {
        let interval = TimeAmount.milliseconds(max(5, site.configuration.limits.tick.wholeMilliseconds))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.tick() }
    }

    private func tick() {
        let now = Self.monotonicMilliseconds()
        sinceLastTick = now - ticks
        sinceSecond += sinceLastTick
        ticks = now
        // A timeout may take connections out of the list while it is walked.
        var index = connections.count
        while index > 0 {
            index -= 1
            if index < connections.count { connections[index].checkTimeouts(now) }
        }
        index = multiplexed.count
        while index > 0 {
            index -= 1
            if index < multiplexed.count { multiplexed[index].checkTimeouts(now) }
        }
        for pool in pools { pool.sweep(now) }
        if !retiring.isEmpty {
            for pool in retiring { pool.startAllDials() }
            retiring.removeAll { !$0.hasWaitingDials }
        }
        if sinceSecond >= 1000 {
            sinceSecond = 0
            context.everySecond()
        }
    }

    /// Exchanges under way keep what they began with, and so do connections to upstreams that are still the same.
    func replace(site: Site, context: LoopContext?) {
        let old = counters
        var kept = pools
        if self.site.configuration.limits != site.configuration.limits {
            for pool in pools { pool.retire() }
            retiring += pools.filter(\.hasWaitingDials)
            kept = []
        }
        self.site = site
        if let context {
            self.context.everySecond()
            self.context = context
        }
        identities = IdentityBlockCache(capacity: self.context.rememberedIdentities)
        counters = LoopCounters(
            routeNames: site.snapshot.routes.map(\.name), upstreamNames: site.configuration.upstreams.map(\.name))
        counters.inherit(from: old)
        pools = makePools(keeping: kept)
    }

    func makeRequestID() -> RequestID {
        .made(requestIDs.next(), requestIDs.next())
    }

    /// A random number that is no secret.
    func random() -> UInt64 { requestIDs.next() }

    /// `Date: …` with its line end; made once a second.
    func dateLine(at now: Timestamp) -> [UInt8] {
        if now.seconds != dateSecond {
            dateSecond = now.seconds
            dateBytes = HTTPDate.line(now)
        }
        return dateBytes
    }

    /// Makes `scratch` empty. Where its bytes still wait for a client that takes none, the waiting answer keeps the storage,
    /// and the next gets a small one: as large as the last again it would be kept for each of the few hundred bytes that
    /// every further answer has, and who pipelines without reading would be given megabytes.
    func clearScratch() { scratch.clear(minimumCapacity: Self.smallAnswer) }

    /// In bytes.
    private static let smallAnswer = 512

    func writeDate(at now: Timestamp, into buffer: inout ByteBuffer) {
        buffer.writeBytes(dateLine(at: now))
    }

    func add(_ connection: FrontHandler) {
        connection.place = connections.count
        connections.append(connection)
    }

    func remove(_ connection: FrontHandler) {
        let place = connection.place
        guard connections.indices.contains(place), connections[place] === connection else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[place] = last
            last.place = place
        }
        connection.place = -1
        if isStopping, isEmpty { finishStop() }
    }

    func add(_ connection: HTTP2Connection) {
        connection.place = multiplexed.count
        multiplexed.append(connection)
    }

    func remove(_ connection: HTTP2Connection) {
        let place = connection.place
        guard multiplexed.indices.contains(place), multiplexed[place] === connection else { return }
        let last = multiplexed.removeLast()
        if last !== connection {
            multiplexed[place] = last
            last.place = place
        }
        connection.place = -1
        if isStopping, isEmpty { finishStop() }
    }

    /// Connections of clients that are open; the streams of one in HTTP/2 are not counted.
    var connectionCount: Int {
        connections.reduce(multiplexed.count) { $1.isStream ? $0 : $0 + 1 }
    }

    private var isEmpty: Bool { connections.isEmpty && multiplexed.isEmpty }

    /// From now on `connection` is judged again, until it is taken off the list.
    func watch(_ connection: FrontHandler) {
        watchlist.add(connection)
        guard !isSweeping else { return }
        isSweeping = true
        nextSweep = .now()
        scheduleSweep()
    }

    func unwatch(_ connection: FrontHandler) {
        guard connection.watchPlace >= 0 else { return }
        watchlist.remove(connection)
    }

    /// The time that the judging takes is a part of the pause.
    private func scheduleSweep() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        nextSweep = max(nextSweep + .microseconds(watchlist.pause), .now())
        _ = eventLoop.scheduleTask(deadline: nextSweep) { bound.value.sweep() }
    }

    private func sweep() {
        guard !watchlist.isEmpty else {
            isSweeping = false
            return
        }
        let now = clock.now()
        for connection in watchlist.nextBatch() { connection.judgeAgain(at: now) }
        scheduleSweep()
    }

    /// Open tunnels by the names of their routes.
    var tunnels: [String: Int] {
        watchlist.members.reduce(into: [:]) { counts, connection in
            guard case .tunnelling = connection.exchange.state else { return }
            counts[connection.site.snapshot.routes[connection.current.route].name, default: 0] += 1
        }
    }

    /// Takes no further request; succeeds when the last exchange has ended.
    func drain() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        emptied.append(promise)
        isStopping = true
        for connection in connections { connection.stop() }
        for connection in multiplexed { connection.stop() }
        if isEmpty { finishStop() }
        return promise.futureResult
    }

    private func finishStop() {
        let waiting = emptied
        emptied = []
        for promise in waiting { promise.succeed(()) }
    }

    /// Ends what is left.
    func shutDown() {
        ticker?.cancel()
        ticker = nil
        for connection in multiplexed { connection.abort() }
        for connection in connections { connection.abort() }
        for pool in pools { pool.retire() }
        context.everySecond()
        finishStop()
    }
}

/// `Date` as RFC 9110 section 5.6.7 wants it.
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func line(_ time: Timestamp) -> [UInt8] {
        // RFC 3339's form has the civil date already: 2026-11-23T01:07:48…
        let text = Array(time.rfc3339.utf8)
        guard text.count >= 19, let month = Int(String(decoding: text[5..<7], as: UTF8.self)),
            (1...12).contains(month)
        else { return [] }
        let day = Int(time.seconds / 86_400 % 7)
        let name = days[day < 0 ? day + 7 : day]
        func part(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
        let date = "\(name), \(part(8..<10)) \(months[month - 1]) \(part(0..<4)) \(part(11..<19)) GMT"
        return Array("Date: \(date)\r\n".utf8)
    }
}
