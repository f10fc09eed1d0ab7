import Logging
import NIOCore
import NIOHTTP2

/// One HTTP/2 connection to a server, as long as it lasts: how many streams it has, how many it may have, and whether
/// it takes more. Bound to its loop.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private unowned let loop: ProxyLoop
    private let server: UpstreamConnections
    private let scheme: String
    private var channelContext: ChannelHandlerContext?
    private var multiplexer: NIOHTTP2Handler.StreamMultiplexer?
    /// Streams that are open, or about to be.
    private(set) var streams = 0
    /// As many as the server allows; until it has said so, what any server should allow (RFC 9113 section 6.5.2).
    private var maximumStreams = 100
    private var opened = 0
    /// Has carried a whole exchange: only then may the server have closed it just as we wrote.
    private var hasAnswered = false
    private var hasSettings = false
    /// No further stream; it is closed behind the last.
    private var isDraining = false
    private var lastAccepted: HTTP2StreamID?
    /// Why the connection was given up.
    private(set) var failure: UpstreamFailure?
    /// When it was heard of last, and when it is given up if nobody wants it, in ticks of the loop.
    private(set) var lastHeard: Int64
    private(set) var idleUntil: Int64

    /// More streams at a time go to another connection.
    private static let ownMaximumStreams = 256
    /// After so many the identifiers are counted as used up, long before they are.
    private static let lifetimeStreams = 1 << 28

    init(loop: ProxyLoop, server: UpstreamConnections, scheme: String) {
        self.loop = loop
        self.server = server
        self.scheme = scheme
        lastHeard = loop.ticks
        idleUntil = loop.ticks + server.keepAlive
    }

    /// Makes `channel` speak HTTP/2.
    func install(on channel: any Channel) throws {
        multiplexer = try Self.addHTTP2(to: channel)
        try channel.pipeline.syncOperations.addHandler(self)
    }

    static func addHTTP2(to channel: any Channel) throws -> NIOHTTP2Handler.StreamMultiplexer {
        let http2 = NIOHTTP2Handler(
            mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: connectionConfiguration,
            streamConfiguration: streamConfiguration
        ) { stream in
            // Pushes were ruled out, so nothing else can begin a stream here.
            stream.close()
        }
        try channel.pipeline.syncOperations.addHandler(http2)
        return try http2.syncMultiplexer()
    }

    /// What the answers may cost: heads as large as over HTTP/1.1, no pushes, and of each body so much as waits for a
    /// slow client. Blocks and lengths are checked where they become HTTP/1.1 (`UpstreamAnswerBytes`), so that the
    /// failure is this exchange's and says what it is.
    private static var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 64 * 1024),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
        ]
        configuration.headerBlockValidation = .disabled
        configuration.contentLengthValidation = .disabled
        configuration.maximumSequentialEmptyDataFrames = 16
        // Clients that go away reset their streams, and what the server still sends on them is no offence.
        configuration.maximumRecentlyResetStreams = 1024
        configuration.targetWindowSize = 1 << 20
        // gRPC's servers measure the line with pings, and a request ended early is a reset each.
        configuration.controlFrameRateLimit.maximumCount = 3000
        return configuration
    }

    private static let streamWindow = 128 * 1024

    private static var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = streamWindow
        configuration.outboundBufferSizeHighWatermark = 64 * 1024
        configuration.outboundBufferSizeLowWatermark = 32 * 1024
        configuration.streamResetFrameRateLimit.maximumCount = 10_000
        return configuration
    }

    // MARK: Streams

    var isOpen: Bool { !isDraining && failure == nil && channelContext?.channel.isActive == true }

    var hasRoom: Bool { streams < min(maximumStreams, Self.ownMaximumStreams) }

    /// A stream with `makeHandler`'s handler on top of it.
    ///
    /// - Parameter then: nil when the connection turned out to be of no use; nothing has been sent then.
    func open(_ then: @escaping (UpstreamHandler?) -> Void) {
        guard let multiplexer else { return then(nil) }
        streams += 1
        opened += 1
        idleUntil = .max
        if opened >= Self.lifetimeStreams { drain() }
        let handler = UpstreamHandler(
            loop: loop, pool: server.pool, endpoint: server.endpoint, connection: self, isReused: hasAnswered)
        // Until it is handed out the pool does not count on it, whatever becomes of its stream.
        handler.isCounted = false
        let stream = UpstreamStream(connection: self, scheme: scheme)
        let bound = NIOLoopBound((stream, handler), eventLoop: loop.eventLoop)
        let promise = loop.eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: promise) { channel in
            channel.eventLoop.makeCompletedFuture {
                let (stream, handler) = bound.value
                try channel.pipeline.syncOperations.addHandlers(stream, handler)
            }
        }
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            guard case .success(let channel) = result, channel.isActive, isUsableStill else {
                if case .success(let channel) = result { channel.close(promise: nil) }
                stream.leave()
                return then(nil)
            }
            handler.isCounted = true
            then(handler)
        }
    }

    /// A stream that was begun before the connection went on its way out may still be opened, unless the server has
    /// said that it takes none.
    private var isUsableStill: Bool {
        failure == nil && lastAccepted == nil && channelContext?.channel.isActive == true
    }

    func streamEnded(answered: Bool) {
        streams -= 1
        if answered { hasAnswered = true }
        guard streams == 0 else { return }
        if isDraining { close() } else { idleUntil = loop.ticks + server.keepAlive }
    }

    func isBeyondGoAway(_ stream: HTTP2StreamID) -> Bool {
        lastAccepted.map { stream > $0 } ?? false
    }

    func heard() { lastHeard = loop.ticks }

    /// An exchange has waited in vain since `start`: if nothing at all has come since, the next ones had better not
    /// wait here.
    func suspect(silentSince start: Int64) {
        if lastHeard <= start { drain() }
    }

    /// Takes no further stream.
    func drain() {
        isDraining = true
        if streams == 0 { close() }
    }

    /// With a word of farewell: an idle connection, or one whose last stream has ended.
    func close() {
        isDraining = true
        guard let context = channelContext else { return }
        let farewell = HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil))
        context.writeAndFlush(NIOAny(farewell), promise: nil)
        context.close(promise: nil)
    }

    // MARK: What the server says

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        channelContext = nil
        // It holds the channel, which holds us; a connection that was never made becomes inactive at no time.
        multiplexer = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard()
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .settings(.settings(let settings)):
            hasSettings = true
            for setting in settings where setting.parameter == .maxConcurrentStreams { maximumStreams = setting.value }
        case .goAway(let last, let code, _):
            lastAccepted = lastAccepted.map { min($0, last) } ?? last
            if code != .noError { log("an upstream ends an HTTP/2 connection", "it says \(code)") }
            drain()
        case .data, .headers, .priority, .rstStream, .settings, .pushPromise, .ping, .windowUpdate,
            .alternativeService, .origin:
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.remove(self)
        context.fireChannelInactive()
    }

    /// What concerns one stream has been said to that stream; anything else is the end of all of them.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.StreamClosed,
            is NIOHTTP2Errors.TrailersWithoutEndStream, is NIOHTTP2Errors.BadStreamStateTransition:
            return
        default: break
        }
        guard failure == nil else { return }
        if UpstreamTLS.isCause(of: error) {
            failure = .tls
        } else {
            failure = error is any NIOHTTP2Error ? .malformed : .closed
        }
        isDraining = true
        let reason = hasSettings ? "\(error)" : "the server does not speak HTTP/2 there: \(error)"
        if failure != .closed || !hasSettings { log("an HTTP/2 connection to an upstream failed", reason) }
        context.close(promise: nil)
    }

    func noteMalformed(_ what: String) { log("an upstream's answer is malformed", what) }

    private func log(_ message: Logger.Message, _ reason: String) {
        loop.logger.warning(
            message, metadata: ["upstream": "\(server.pool.description.name)", "reason": "\(reason)"])
    }
}
