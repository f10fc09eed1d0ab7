import Core
import HTTPWire
import Logging
import NIOCore
import NIOTLS
import Policy

/// One client connection, or one stream of an HTTP/2 connection: bytes in, actions out. What is decided is decided
/// elsewhere (`Exchange`, the resolver, the snapshot); this parses, hands over and writes. Bound to its loop.
final class FrontHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: ProxyLoop
    let connection: ClientConnection
    let role: ListenerRole
    /// It has one stream of a connection and no more: its end is the stream's, not the connection's.
    let isStream: Bool
    /// Its place in the loop's list.
    var place = -1
    var peer: Peer
    /// What TLS proved of the other end; nil where nothing is asked of it.
    var security: ConnectionSecurity? { connection.security }
    private(set) var channelContext: ChannelHandlerContext?
    /// The context's, kept because it is looked at several times a request and the way to it is long.
    private var channel: (any Channel)?

    var exchange = Exchange()
    private var parser = RequestParser()
    /// Bytes that nobody could use yet.
    private(set) var input: ByteBuffer?
    /// The body of the request, as far as it is still to come.
    var body = BodyReader(BodyFraming.none)

    /// The configuration that this exchange keeps to.
    var site: Site
    var current = CurrentRequest()
    /// The head as the upstream gets it, for as long as it may have to be sent again.
    var requestBuffer = ByteBuffer()
    /// What the request was judged by, to judge it again while it lasts.
    var judged = JudgedRequest()
    /// Its place among what is judged again; -1: it is not there.
    var watchPlace = -1
    var hostPlace = RequestRewriting.HostPlace(offset: 0, count: 0)
    var lease: Lease?
    /// The head of the answer is in the loop's scratch and goes out with the first of the body.
    var headIsPending = false
    /// The wait for `upstream`.
    var attempt: UpstreamAttempt?
    var upstream: UpstreamHandler?
    /// The body of a request for ourselves.
    var collected: [UInt8] = []
    var localRequest: LocalRequest?
    /// What it came with.
    var localCredential = CredentialState.none
    /// The refusal whose page is being made.
    var refusalPage: RefusalAnswer?
    /// Raised whenever what was asked for elsewhere is of no interest any more.
    var errand: UInt64 = 0

    /// In ticks of the loop; `.max` means never.
    var clientDeadline = Int64.max
    var upstreamDeadline = Int64.max
    private var isReadingPaused = false
    private(set) var inputIsClosed = false
    private var hasUnflushed = false
    /// Bytes that waited for the client when it was given its time.
    var untaken = 0
    /// Looked at when the client has taken nothing for long.
    var reader = SlowReader()
    var outputIsEnding = false
    /// It is one of the loop's `lingering`.
    var isLingering = false
    private var isListed = false
    /// No request has begun yet.
    private var isFresh = true

    /// - Parameter isStream: it gets one request of an HTTP/2 connection, which counts as a connection itself.
    init(loop: ProxyLoop, connection: ClientConnection, isStream: Bool = false) {
        self.loop = loop
        self.connection = connection
        self.isStream = isStream
        role = connection.role
        site = loop.site
        peer = connection.peer(by: loop.site)
    }

    // MARK: Life of the connection

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        channel = context.channel
        isListed = true
        loop.add(self)
        clientDeadline = loop.ticks + (role.tls == nil ? site.patience.head : site.patience.handshake)
        // Accepted in the moment before the listener closed.
        if loop.isStopping { stop() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        channelContext = nil
        channel = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
    }

    private func leave() {
        if current.access != nil { writeAccessLine(isUnfinished: true) }
        endLingering()
        exchange.closed()
        errand &+= 1
        cancelAttempt()
        lease = nil
        if let upstream {
            self.upstream = nil
            upstream.abandon()
        }
        input = nil
        loop.unwatch(self)
        if isListed { handOverPlace() }
    }

    /// The connection has another keeper, who counts for it.
    func handOverPlace() {
        isListed = false
        loop.remove(self)
    }

    /// HTTP/2 without TLS begins with its own first bytes; with TLS it is agreed on before (RFC 9113 section 3).
    var mayBecomeHTTP2: Bool { isFresh && !isStream && role.tls == nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if role.tls != nil { noteTLSFailure(error) }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            perform(exchange.inputClosed())
            clientDeadline = loop.ticks + site.patience.halfClosed
        } else if case .handshakeCompleted(let agreed)? = event as? TLSUserEvent {
            clientDeadline = loop.ticks + site.patience.head
            security?.noteHandshake(context.pipeline)
            if agreed == Self.nameInTLS { return becomeHTTP2(context, nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Keeps to the configuration that is in force now.
    func takeSite() {
        guard site !== loop.site else { return }
        site = loop.site
        peer = connection.peer(by: site)
    }

    /// The server stops.
    func stop() {
        perform(exchange.stop(headHasBegun: input != nil))
    }

    func abort() {
        channelContext?.close(promise: nil)
    }

    // MARK: Bytes of the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard var held = input else { return consume(buffer) }
        input = nil
        held.writeImmutableBuffer(buffer)
        consume(held)
    }

    /// Goes through what is there as far as the exchange can use it, then sends what came of it.
    private func consume(_ buffer: ByteBuffer) {
        var buffer = buffer
        while step(&buffer) {}
        if buffer.readableBytes > 0, !exchange.isOver {
            input = buffer
            // Whoever sends more while an answer is under way waits; the kernel's buffer is his, not ours.
            if !canUseMore { pauseReading(true) }
        }
        upstream?.flush()
        flushAnswer()
    }

    /// More bytes would get somebody further: the rest of a head, or of a body that has a taker.
    private var canUseMore: Bool {
        switch exchange.state {
        case .idle: clientIsWritable
        case .collecting, .draining: true
        case .forwarding(.streaming, _), .tunnelling: upstream?.isWritable ?? false
        case .resolving, .responding, .forwarding(.ended, _), .lingering, .closed: false
        }
    }

    private func step(_ buffer: inout ByteBuffer) -> Bool {
        switch exchange.expects {
        case .head:
            // Who does not take answers gets no further ones: they would pile up here.
            guard clientIsWritable else { return false }
            guard buffer.readableBytes > 0 else {
                clientDeadline = loop.ticks + site.patience.keepAlive
                return false
            }
            return takeHead(&buffer)
        case .body: return takeBody(&buffer)
        case .raw:
            passRaw(&buffer)
            return false
        case .nothing: return false
        }
    }

    private func takeHead(_ buffer: inout ByteBuffer) -> Bool {
        var used = 0
        let result = buffer.withUnsafeReadableBytes { bytes -> ParseResult in
            let result = parser.parse(bytes, into: &loop.head)
            if result == .complete { used = begin(bytes, waited: false) }
            return result
        }
        switch result {
        case .incomplete:
            if input == nil, !current.headHasBegun {
                current.headHasBegun = true
                clientDeadline = loop.ticks + site.patience.head
            }
            return false
        case .refused(let refusal):
            switch preface(in: buffer) {
            case .none: break
            case .begun: return false
            case .complete:
                let bytes = buffer
                buffer.clear()
                if let context = channelContext { becomeHTTP2(context, bytes) }
                return false
            }
            buffer.withUnsafeReadableBytes { refuseUnreadable(refusal, $0) }
            buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
            return false
        case .complete:
            isFresh = false
            buffer.moveReaderIndex(forwardBy: used)
            return true
        }
    }

    /// The reading that the exchange waited for can be tried again, or has taken too long.
    func resumeResolving() {
        guard exchange.state == .resolving, let held = input else { return }
        var buffer = held
        input = nil
        var used = 0
        let result = buffer.withUnsafeReadableBytes { bytes -> ParseResult in
            let result = parser.parse(bytes, into: &loop.head)
            if result == .complete { used = begin(bytes, waited: true) }
            return result
        }
        guard result == .complete else { return abort() }
        buffer.moveReaderIndex(forwardBy: used)
        pauseReading(false)
        consume(buffer)
    }

    /// Takes up what was put aside.
    func resumeInput() {
        pauseReading(false)
        guard let held = input else {
            flushAnswer()
            return
        }
        input = nil
        consume(held)
    }

    func pauseReading(_ paused: Bool) {
        guard paused != isReadingPaused, paused || !isLingering, let context = channelContext else { return }
        isReadingPaused = paused
        // A channel that is going away has no options any more, and then nothing is to be read either.
        try? context.channel.syncOptions?.setOption(.autoRead, value: !paused)
        // A stream's channel does not begin to read again by itself, and would do it at once, in the midst of this.
        guard isStream, !paused else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.channelContext?.read() }
    }

    // MARK: Bytes for the client

    /// Hands `buffer` to the channel; goes out with the next `flushAnswer`.
    func write(_ buffer: ByteBuffer) {
        hasUnflushed = true
        current.sent &+= buffer.readableBytes
        channelContext?.write(wrapOutboundOut(buffer), promise: nil)
    }

    func flushAnswer() {
        guard hasUnflushed else { return }
        hasUnflushed = false
        channelContext?.flush()
    }

    var clientIsWritable: Bool { channel?.isWritable ?? false }

    // MARK: Actions and timeouts

    func perform(_ action: Exchange.Action) {
        switch action {
        case .none: break
        case .next:
            current.headHasBegun = false
            clientDeadline = loop.ticks + site.patience.keepAlive
            upstreamDeadline = .max
        case .close: closeWhenWritten()
        case .endUpstream: upstream?.endOutput()
        case .endClient:
            endOutput()
            clientDeadline = loop.ticks + site.patience.halfClosed
        case .finishUpstream:
            lease = nil
            if let upstream {
                self.upstream = nil
                upstream.finish()
            }
            closeWhenWritten()
        case .abort:
            channelContext?.close(promise: nil)
        case .linger:
            clientDeadline = min(clientDeadline, loop.ticks + site.patience.lingering)
        case .drain: drain()
        case .endAndDrain:
            // The end of a stream is no end of its way back.
            if !isStream { endOutput() }
            drain()
        case .endAndLinger: linger()
        }
    }

    func checkTimeouts(_ now: Int64) {
        if watchPlace < 0, hasLasted(at: now) { loop.watch(self) }
        if upstreamDeadline <= now {
            upstreamDeadline = .max
            upstreamTimedOut()
        } else if bodyIsTooSlow(now) {
            clientDeadline = .max
            clientTimedOut(bodyIsSlow: true)
        } else if clientDeadline <= now {
            clientDeadline = .max
            clientTimedOut(bodyIsSlow: false)
        }
    }

    private func clientTimedOut(bodyIsSlow: Bool) {
        switch exchange.state {
        case .forwarding(.streaming, .awaited), .collecting:
            // The body stopped coming; nothing has been answered.
            noteFailure(reason: nil)
            giveUpUpstream()
            exchange.closeAfterwards()
            answerFailure(status: 408, reason: nil, detail: "The request body did not come in time.")
            flushAnswer()
        case .idle, .responding, .forwarding, .closed:
            if bodyIsSlow || !isTakingItsAnswer() { abort() }
        case .resolving, .tunnelling, .draining, .lingering: abort()
        }
    }
}
