import Core
import NIOCore
import NIOPosix

/// One connection to a server that is being made: it waits for its turn, connects, and agrees on TLS.
///
/// ```
///  queued ─► connecting ─► over
///     └──────────┴─ cancel, time-out ─► over
/// ```
///
/// It ends once, later than it was asked for unless it is cancelled. Bound to its loop.
final class UpstreamDial {
    /// Puts the handlers into the channel, given the protocol that TLS has agreed on.
    typealias Install = (any Channel, String?) throws -> Void

    private enum State {
        case queued(deadline: Scheduled<Void>?)
        case connecting
        case over
    }

    private unowned let loop: ProxyLoop
    private let server: UpstreamServer
    private let tls: UpstreamTLS?
    private let timeout: TimeAmount
    private let forTunnel: Bool
    private let install: Install
    /// It lets the next one have its turn. Of one that is cancelled while it connects it is told when the channel has been
    /// taken apart, which NIO does in a later tick: whoever asks and leaves as fast as a loop can read would have thousands
    /// waiting for that, with TLS's state in each.
    private let ended: (UpstreamDial, _ hadTurn: Bool) -> Void
    private var then: ((UpstreamDial, Result<Void, any Error>) -> Void)?
    private var state = State.queued(deadline: nil)
    private var channel: (any Channel)?
    private var handshake: UpstreamHandshake?
    /// It was its turn once, and there were as many connections as there may be.
    var waitsForPlace = false
    /// Takes a connection that has become free instead; nil: that would be of no use.
    var takeIdle: ((UpstreamHandler) -> Void)?

    /// - Parameters:
    ///   - forTunnel: HTTP/1.1 and nothing else, with small buffers.
    ///   - then: told when the handlers are in their place and the connection is there, or why that will not be.
    init(
        to server: UpstreamServer, of pool: UpstreamPool, on loop: ProxyLoop, forTunnel: Bool,
        install: @escaping Install, ended: @escaping (UpstreamDial, _ hadTurn: Bool) -> Void,
        then: @escaping (UpstreamDial, Result<Void, any Error>) -> Void
    ) {
        self.loop = loop
        self.server = server
        tls = pool.tls
        timeout = .milliseconds(pool.description.connectTimeout.wholeMilliseconds)
        self.forTunnel = forTunnel
        self.install = install
        self.ended = ended
        self.then = then
    }

    /// Its turn has not come: it waits for it no longer than a connection may take.
    func queue() {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let timeout = timeout
        state = .queued(
            deadline: loop.eventLoop.scheduleTask(in: timeout) { bound.value.waitedInVain() })
    }

    /// Whose fault it is says what it waited for: a server that takes no connections, or a place among all of them.
    private func waitedInVain() {
        let maximum = loop.site.configuration.limits.maximumUpstreamConnections
        let hasNoPlace = waitsForPlace || loop.shared.upstreamConnectionCount >= maximum
        end(.failure(hasNoPlace ? NoUpstreamPlace() : ChannelError.connectTimeout(timeout)))
    }

    /// Its turn has come, and a place was taken for its connection.
    func begin() {
        guard case .queued(let deadline) = state else { return }
        deadline?.cancel()
        state = .connecting
        let future: EventLoopFuture<Void>
        do {
            future = try connect()
        } catch {
            future = loop.eventLoop.submit { throw error }
        }
        future.assumeIsolated().whenComplete { self.end($0) }
    }

    /// Nobody wants it any more: its socket is closed at once.
    func cancel() {
        let (channel, handshake) = (self.channel, self.handshake)
        end(.failure(CancellationError()), closed: channel?.closeFuture)
        if let handshake { handshake.abandon(CancellationError()) } else { channel?.close(promise: nil) }
    }

    /// It has become needless before its turn came: a connection is free.
    func serve(_ handler: UpstreamHandler) {
        let take = takeIdle
        then = nil
        cancel()
        take?(handler)
    }

    /// - Parameter closed: its turn lasts until then.
    private func end(_ result: Result<Void, any Error>, closed: EventLoopFuture<Void>? = nil) {
        let hadTurn: Bool
        switch state {
        case .over: return
        case .queued(let deadline):
            deadline?.cancel()
            hadTurn = false
        case .connecting:
            hadTurn = true
            // Of a socket that was made its end gives the place back.
            if channel == nil { loop.shared.returnUpstreamConnection() }
        }
        state = .over
        channel = nil
        handshake = nil
        takeIdle = nil
        let then = self.then
        self.then = nil
        if let closed {
            closed.assumeIsolated().whenComplete { [ended] _ in ended(self, hadTurn) }
        } else {
            ended(self, hadTurn)
        }
        then?(self, result)
    }

    private func connect() throws -> EventLoopFuture<Void> {
        if forTunnel, case .h2c = server.address { throw UpstreamCannotTunnel() }
        guard let address = server.socketAddress else {
            throw UnresolvedHost(host: server.label, problem: "its address has gone")
        }
        if case .tls(let host, _) = server.address, let tls {
            handshake = UpstreamHandshake(
                try tls.makeHandler(for: host, onlyHTTP1: forTunnel), on: loop.eventLoop, timeout: timeout,
                install: install)
        }
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        var bootstrap = ClientBootstrap(group: loop.eventLoop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.prepare(channel) }
            }
        if case .unixDomainSocket = address {
        } else {
            bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        }
        if forTunnel { bootstrap = bootstrap.channelOption(.recvAllocator, value: PassingBuffers(first: 128)) }
        let future = bootstrap.connect(to: address)
        if let handshake { return handshake.outcome(of: future) }
        return future.flatMapThrowing { try bound.value.connected($0) }
    }

    /// Before it can read anything. What HTTP/2 needs is much, and is not made for a connection that never comes to be.
    private func connected(_ channel: any Channel) throws {
        guard case .h2c = server.address else { return }
        guard case .connecting = state else { throw CancellationError() }
        try install(channel, nil)
    }

    private func prepare(_ channel: any Channel) throws {
        guard case .connecting = state else { throw CancellationError() }
        self.channel = channel
        let shared = loop.shared
        channel.closeFuture.whenComplete { _ in shared.returnUpstreamConnection() }
        if let handshake { return try handshake.begin(on: channel) }
        if case .h2c = server.address { return }
        try install(channel, nil)
    }
}
