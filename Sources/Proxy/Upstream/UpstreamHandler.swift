import HTTPWire
import NIOCore

/// One connection to an upstream: parses answers strictly and hands them, piece by piece, to the client connection
/// that has leased it. Lives on that client's loop.
final class UpstreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var exchange: UpstreamExchange
    /// Who waits for the answer.
    private let loop: ProxyLoop
    private var client: FrontHandler?
    private let pool: UpstreamPool
    let endpoint: Int
    /// The connection that this is one stream of, which is used once; nil: a connection of HTTP/1.1.
    private let connection: UpstreamConnection?
    private var channelContext: ChannelHandlerContext?
    /// The context's, kept because it is looked at several times a request and the way to it is long.
    private var channel: (any Channel)?
    private var parser = ResponseParser()
    private var body = BodyReader(ResponseFraming.none)
    private var pending: ByteBuffer?
    private var method = Method.get
    private var keepsAlive = false
    private var isPaused = false
    private var hasUnflushed = false
    private var outputIsEnding = false
    private var informationalHeads = 0
    private var isNewTunnel = false
    /// In ticks of the loop.
    private var began: Int64 = 0
    /// When the pool gives it up, in ticks of the loop.
    var idleUntil: Int64 = 0

    /// The pool counts on it: its end is to be told.
    var isCounted = true

    /// - Parameter isReused: the connection below has carried a whole exchange.
    init(
        loop: ProxyLoop, pool: UpstreamPool, endpoint: Int, connection: UpstreamConnection? = nil,
        isReused: Bool = false
    ) {
        self.loop = loop
        self.pool = pool
        self.endpoint = endpoint
        self.connection = connection
        exchange = UpstreamExchange(isReused: isReused)
    }

    /// More heads of 1xx before one answer are a flood.
    private static let informationalLimit = 32

    var isUsable: Bool { exchange.state == .idle && channel?.isActive == true }
    var isWritable: Bool { channel?.isWritable ?? false }
    var isReused: Bool { exchange.isReused }
    var isStream: Bool { connection != nil }

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        channel = context.channel
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        channelContext = nil
        channel = nil
    }

    // MARK: What the client connection asks for

    func begin(for client: FrontHandler, method: Method) {
        self.client = client
        self.method = method
        keepsAlive = false
        informationalHeads = 0
        pending = nil
        parser.reset()
        exchange.begin()
        began = loop.ticks
    }

    func write(_ buffer: ByteBuffer) {
        hasUnflushed = true
        channelContext?.write(wrapOutboundOut(buffer), promise: nil)
    }

    func flush() {
        guard hasUnflushed else { return }
        hasUnflushed = false
        channelContext?.flush()
    }

    /// The client cannot take more, or can again.
    func setPaused(_ paused: Bool) {
        guard paused != isPaused, let context = channelContext else { return }
        isPaused = paused
        // A channel that is going away has no options any more, and then nothing is to be read either.
        try? context.channel.syncOptions?.setOption(.autoRead, value: !paused)
        // A stream has to be asked for what has come in the meantime.
        if isStream, !paused { context.read() }
    }

    /// The client connection that has leased it wants nothing more of it.
    func abandon() {
        client = nil
        pool.forget(self)
        discard()
    }

    /// The pool, which has taken it off its lists, wants nothing more of it.
    func discard() {
        exchange.failed()
        close()
    }

    func close() {
        channelContext?.close(promise: nil)
    }

    /// The client has sent its last byte.
    func endOutput() {
        flush()
        outputIsEnding = true
        channelContext?.close(mode: .output, promise: nil)
    }

    /// Sends the rest of a tunnel whose client has no further part in it, then closes.
    func finish() {
        client = nil
        pool.forget(self)
        exchange.failed()
        flush()
        guard let context = channelContext else { return }
        context.closeBehindWrites(outputIsEnding: outputIsEnding)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        _ = context.eventLoop.scheduleTask(in: .milliseconds(FrontHandler.halfClosedPatience)) { bound.value.close() }
    }

    // MARK: What the server says

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        guard exchange.received(), let client else {
            pool.forgetIdle(self)
            return close()
        }
        if var held = pending {
            pending = nil
            held.writeBuffer(&buffer)
            buffer = held
        }
        take(&buffer, for: client)
        client.flushAnswer()
    }

    private func take(_ buffer: inout ByteBuffer, for client: FrontHandler) {
        while case .awaiting = exchange.state {
            switch parseHead(&buffer, for: client) {
            case .goOn: continue
            case .wait: return
            }
        }
        switch exchange.state {
        case .streaming: takeBody(&buffer, for: client)
        case .tunnelling:
            client.tunnelReceived(buffer)
            if isNewTunnel {
                isNewTunnel = false
                client.tunnelBegan()
            }
        case .idle, .awaiting, .closed: break
        }
    }

    private enum HeadStep {
        case goOn, wait
    }

    private func parseHead(_ buffer: inout ByteBuffer, for client: FrontHandler) -> HeadStep {
        var used = 0
        let result = buffer.withUnsafeReadableBytes { bytes -> ParseResult in
            let result = parser.parse(bytes, requestMethod: method, into: &loop.responseHead)
            if result == .complete {
                used = loop.responseHead.headLength
                receive(loop.responseHead, bytes, for: client)
            }
            return result
        }
        switch result {
        case .incomplete:
            if buffer.readableBytes > 0 { pending = buffer }
            return .wait
        case .refused:
            fail(.malformed)
            return .wait
        case .complete:
            buffer.moveReaderIndex(forwardBy: used)
            return .goOn
        }
    }

    private func receive(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, for client: FrontHandler) {
        if head.isInformational {
            informationalHeads += 1
            guard informationalHeads <= Self.informationalLimit else { return fail(.malformed) }
            return client.upstreamInformed(head, bytes)
        }
        guard head.status != 101 else { return switchProtocols(head, bytes, for: client) }
        keepsAlive = head.keepAlive
        body = BodyReader(head.framing)
        exchange.finalHead()
        pool.answered(endpoint)
        client.upstreamAnswered(
            head, bytes, rest: UnsafeRawBufferPointer(rebasing: bytes[head.headLength...]), body: body)
    }

    /// A 101 to a protocol that nobody asked for is no answer (RFC 9110 section 15.2.2).
    private func switchProtocols(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, for client: FrontHandler) {
        guard let token = head.upgrade, client.asked(for: token.bytes(in: bytes)) else { return fail(.malformed) }
        exchange.switched()
        pool.answered(endpoint)
        isNewTunnel = true
        // The end of what the server sends is not the end of what it takes.
        try? channelContext?.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        client.upstreamSwitched(head, bytes)
    }

    private func takeBody(_ buffer: inout ByteBuffer, for client: FrontHandler) {
        let outcome = client.upstreamSent(&buffer, body: &body)
        switch outcome {
        case .more:
            if buffer.readableBytes > 0 { pending = buffer }
        case .ended: end(leftOver: buffer.readableBytes > 0)
        case .invalid: fail(.malformed)
        }
    }

    private func end(leftOver: Bool) {
        guard let client else { return }
        self.client = nil
        let reusable = exchange.ended(
            keepAlive: keepsAlive && !body.endsWithConnection && !isStream,
            requestEnded: client.requestIsComplete, leftOver: leftOver)
        setPaused(false)
        pool.giveBack(self, reusable: reusable)
        if !reusable { close() }
        client.upstreamEnded()
    }

    /// The connection is of no use any more, for the reason `kind`.
    ///
    /// - Parameter isUnsent: the server has not begun to do anything about the request.
    func fail(_ kind: UpstreamFailure, isUnsent: Bool = false) {
        // A server may close a connection that was idle, just as we use it.
        let isAwaited = exchange.isAwaitingAnswer
        let retry = exchange.failed(kind, isUnsent: isUnsent)
        if retry != .never { pool.doubt(endpoint) } else if isAwaited { pool.blame(endpoint, kind) }
        if kind == .firstByteTimeout { connection?.suspect(silentSince: began) }
        if isCounted { pool.forget(self) }
        close()
        guard let client else { return }
        self.client = nil
        client.upstreamFailed(kind, retry: retry)
        client.flushAnswer()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent, exchange.state == .tunnelling {
            client?.upstreamEndedTunnel()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if exchange.state == .streaming, body.endsWithConnection {
            guard let client else { return }
            client.upstreamClosedBody()
            end(leftOver: false)
            client.flushAnswer()
        } else if exchange.state != .closed {
            fail(.closed)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset is not the end that a body until close may have.
        guard exchange.state != .closed else { return close() }
        if let failure = error as? UpstreamStreamFailure { return fail(failure.kind, isUnsent: failure.isUnsent) }
        // A server that does not accept our certificate says so only after the handshake (RFC 8446 section 4.4.2.4).
        fail(UpstreamTLS.isCause(of: error) ? .tls : .closed)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        client?.upstreamWritabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }
}
