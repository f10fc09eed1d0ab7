import Core
import Logging
import NIOCore
import NIOHTTP2

/// One HTTP/2 connection of a client, above its streams: how it begins, stays, and goes. Bound to its loop.
///
/// It counts as one connection, whatever its streams do; the `FrontHandler` that saw its first bytes hands that over.
/// Each stream has a `FrontHandler` of its own.
final class HTTP2Connection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    let loop: ProxyLoop
    /// What its streams need to know of it.
    let client: ClientConnection
    /// Its place in the loop's list.
    var place = -1
    private(set) var life = ConnectionLife()
    private var channelContext: ChannelHandlerContext?
    private weak var frameGuard: FrameGuard?
    private var streams: [StreamCodec] = []
    /// The highest stream that the client has opened.
    private var lastStream: UInt32 = 0
    private var failsSoon = false
    private var isListed = false
    // In ticks of the loop; `.max` means never.
    /// For SETTINGS, for the next stream, for the end of what was announced.
    private var deadline = Int64.max
    private var blockDeadline = Int64.max
    private var writeDeadline = Int64.max
    private var reader = SlowReader()

    /// How long a client may take to say goodbye to a connection that has failed.
    private static let goodbye: Int64 = 1000

    init(loop: ProxyLoop, client: ClientConnection) {
        self.loop = loop
        self.client = client
        client.multiplexed = self
    }

    /// Puts the handlers of HTTP/2 behind `handler`.
    func install(
        after handler: FrontHandler, in pipeline: ChannelPipeline.SynchronousOperations, _ channel: any Channel
    )
        throws
    {
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        let frames = FrameGuard(connection: self)
        frameGuard = frames
        let library = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: HTTP2Limits.connection,
            streamConfiguration: HTTP2Limits.stream
        ) { stream in
            let connection = bound.value
            let pipeline = stream.pipeline.syncOperations
            do {
                try pipeline.addHandler(StreamCodec(connection: connection))
                try pipeline.addHandler(
                    FrontHandler(loop: connection.loop, connection: connection.client, isStream: true))
            } catch {
                return stream.eventLoop.makeFailedFuture(error)
            }
            // One that every stream shares.
            return stream.eventLoop.makeSucceededVoidFuture()
        }
        try pipeline.addHandlers([frames, library, self], position: .after(handler))
    }

    private var limits: Limits { loop.site.configuration.limits }

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        isListed = true
        loop.add(self)
        deadline = loop.ticks + limits.handshakeTimeout.wholeMilliseconds
        if loop.isStopping { stop() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        channelContext = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// It ended before it began.
    func end() { leave() }

    private func leave() {
        life.closed()
        // The library tells its streams; should one begin while the connection ends, it is told here.
        for stream in streams { stream.connectionEnded() }
        guard isListed else { return }
        isListed = false
        loop.remove(self)
    }

    // MARK: Frames

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .settings(.settings):
            guard life.state == .opening else { return }
            life.began()
            noteIdle()
        case .ping(_, ack: true): run(life.answered())
        case .ping, .settings, .data, .headers, .priority, .rstStream, .pushPromise, .goAway, .windowUpdate,
            .alternativeService, .origin:
            break
        }
    }

    /// Errors of streams come here too; those of the connection have a GOAWAY, which `FrameGuard` sees.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.logger.debug("HTTP/2 with a client", metadata: ["error": "\(error)"])
        // Below us something failed that is not about frames: the socket, or TLS.
        if error is ChannelError || error is IOError { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            run(life.inputEnded())
            // What is incomplete now stays so.
            for stream in streams where !stream.hasRequest { stream.reset(.cancel) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeDeadline = context.channel.isWritable ? .max : loop.ticks + limits.bodyTimeout.wholeMilliseconds
        reader = SlowReader()
        context.fireChannelWritabilityChanged()
    }

    /// A frame is about to reach the library.
    func received(_ header: FrameScan.Header) {
        if header.kind == .headers { lastStream = max(lastStream, header.stream) }
    }

    /// A frame or a header block is incomplete since then; nil: none is.
    func waits(since ticks: Int64?) {
        blockDeadline = ticks.map { $0 + limits.headTimeout.wholeMilliseconds } ?? .max
    }

    // MARK: Streams

    /// More than one is open.
    var hasSeveralStreams: Bool { streams.count > 1 }

    func opened(_ stream: StreamCodec) {
        stream.place = streams.count
        streams.append(stream)
        life.streamOpened()
        if life.state == .serving { deadline = .max }
    }

    func closed(_ stream: StreamCodec) {
        let place = stream.place
        guard streams.indices.contains(place), streams[place] === stream else { return }
        let last = streams.removeLast()
        if last !== stream {
            streams[place] = last
            last.place = place
        }
        stream.place = -1
        let action = life.streamEnded()
        noteIdle()
        guard action != .none, let context = channelContext else { return }
        // The stream's own last frames are written behind this.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.run(action) }
    }

    /// A DATA frame has reached its stream.
    func delivered() { frameGuard?.delivered() }

    private func noteIdle() {
        guard streams.isEmpty else { return }
        frameGuard?.becameIdle()
        if life.state == .serving { deadline = loop.ticks + limits.keepAliveTimeout.wholeMilliseconds }
    }

    // MARK: Its end

    /// The server stops, or wants no further request on this connection.
    func stop() { run(life.stop()) }

    /// The same, once whoever is at work has ended.
    func stopSoon() {
        guard let context = channelContext else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.stop() }
    }

    func abort() { channelContext?.close(promise: nil) }

    /// Ends the connection with an error; `failed` follows as soon as that is written.
    func fail(_ code: HTTP2ErrorCode) {
        loop.logger.info(
            "an HTTP/2 connection was closed",
            metadata: ["error": "\(code)", "address": "\(client.address.map { "\($0)" } ?? "")"])
        goAway(HTTP2StreamID(Int(lastStream)), code)
    }

    /// The same, once whoever is at work has ended.
    func failSoon(_ code: HTTP2ErrorCode) {
        guard !failsSoon, let context = channelContext else { return }
        failsSoon = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.fail(code) }
    }

    /// GOAWAY with an error has been written, by us or by the library.
    func failed() {
        let action = life.failed()
        guard action != .none, let context = channelContext else { return }
        deadline = loop.ticks + Self.goodbye
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.run(action) }
    }

    private func run(_ action: ConnectionLife.Action) {
        switch action {
        case .none: break
        case .announce:
            deadline = loop.ticks + limits.lingering.wholeMilliseconds
            frameGuard?.announceEnd()
            write(.ping(HTTP2PingData(withInteger: 1), ack: false))
        case .sayLast:
            deadline = .max
            goAway(HTTP2StreamID(Int(lastStream)), .noError)
        case .sayLastAndClose:
            goAway(HTTP2StreamID(Int(lastStream)), .noError)
            close()
        case .close: close()
        case .sayGoodbye:
            for stream in streams { stream.reset(.internalError) }
            channelContext?.close(mode: .output, promise: nil)
        }
    }

    private func close() {
        deadline = loop.ticks + limits.bodyTimeout.wholeMilliseconds
        frameGuard?.closeBehindWrites()
    }

    private func goAway(_ last: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        write(.goAway(lastStreamID: last, errorCode: code, opaqueData: nil))
    }

    private func write(_ payload: HTTP2Frame.FramePayload) {
        channelContext?.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
    }

    func checkTimeouts(_ now: Int64) {
        if deadline <= now {
            deadline = .max
            timedOut()
        } else if blockDeadline <= now {
            blockDeadline = .max
            fail(.enhanceYourCalm)
        } else if writeDeadline <= now {
            if isBeingRead(now) { writeDeadline = now + limits.bodyTimeout.wholeMilliseconds } else { abort() }
        }
    }

    /// What was written is on its way, if slowly.
    private func isBeingRead(_ now: Int64) -> Bool {
        guard let channel = channelContext?.channel, let progress = SlowReader.Progress(channel) else { return false }
        return reader.isAtIt(
            progress, at: now, patience: limits.bodyTimeout.wholeMilliseconds, rate: limits.minimumBodyRate)
    }

    private func timedOut() {
        switch life.state {
        case .opening where lastStream == 0 && streams.isEmpty: abort()
        case .opening, .serving: run(life.idled())
        case .announced: run(life.answered())
        case .leaving: break
        case .failed, .closed: abort()
        }
    }
}
