import Core
import HTTPWire
import Logging
import NIOCore
import NIOTLS
import Policy

/// What a listener is to the connections that it accepts.
struct ListenerRole: Sendable {
    let serve: Surfaces
    /// Nil: plain.
    let tls: TLSTerminal?
    let redirectsToHTTPS: Bool
}

/// One client connection: bytes in, actions out. What is decided is decided elsewhere (`Exchange`, the resolver, the
/// snapshot); this parses, hands over and writes. Bound to its loop.
final class FrontHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: ProxyLoop
    let role: ListenerRole
    /// Its place in the loop's list.
    var place = -1
    var peer: Peer
    private let socketAddress: SocketAddress?
    private(set) var channelContext: ChannelHandlerContext?

    var exchange = Exchange()
    private var parser = RequestParser()
    /// Bytes that nobody could use yet.
    private var input: ByteBuffer?
    /// The body of the request, as far as it is still to come.
    var body = BodyReader(BodyFraming.none)

    /// The configuration that this exchange keeps to.
    var site: Site
    var current = CurrentRequest()
    /// The head as the upstream gets it, kept until the answer begins.
    var requestBuffer = ByteBuffer()
    /// What the request was judged by, to judge it again while it lasts.
    var judged = JudgedRequest()
    /// Its place among what is judged again; -1: it is not there.
    var watchPlace = -1
    var hostPlace = RequestRewriting.HostPlace(offset: 0, count: 0)
    var lease: Lease?
    /// The head of the answer is in the loop's scratch and goes out with the first of the body.
    var headIsPending = false
    var upstream: UpstreamHandler?
    /// The body of a request for ourselves.
    var collected: [UInt8] = []
    var localRequest: LocalRequest?
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
    private var outputIsEnding = false
    private var countsAsConnection = false

    init(loop: ProxyLoop, role: ListenerRole, socketAddress: SocketAddress?) {
        self.loop = loop
        self.role = role
        self.socketAddress = socketAddress
        site = loop.site
        peer = Peer(socketAddress, trusted: loop.site.configuration.trustedProxies)
    }

    // MARK: Life of the connection

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        guard loop.shared.takeConnection(maximum: site.configuration.limits.maximumConnections) else {
            context.close(promise: nil)
            return
        }
        countsAsConnection = true
        loop.add(self)
        let limits = site.configuration.limits
        clientDeadline =
            loop.ticks + (role.tls == nil ? limits.headTimeout : limits.handshakeTimeout).wholeMilliseconds
        // Accepted in the moment before the listener closed.
        if loop.isStopping { stop() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        channelContext = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
    }

    private func leave() {
        exchange.closed()
        errand &+= 1
        lease = nil
        if let upstream {
            self.upstream = nil
            upstream.abandon()
        }
        input = nil
        loop.unwatch(self)
        guard countsAsConnection else { return }
        countsAsConnection = false
        loop.remove(self)
        loop.shared.returnConnection()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if role.tls != nil { loop.logger.debug("TLS with a client failed", metadata: ["error": "\(error)"]) }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            perform(exchange.inputClosed())
            clientDeadline = loop.ticks + Self.halfClosedPatience
        } else if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent {
            clientDeadline = loop.ticks + site.configuration.limits.headTimeout.wholeMilliseconds
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// How long a client that has sent its last byte may be without a piece of its answer: it may be gone altogether.
    static let halfClosedPatience: Int64 = 30_000

    /// Keeps to the configuration that is in force now.
    func takeSite() {
        guard site !== loop.site else { return }
        site = loop.site
        peer = Peer(socketAddress, trusted: site.configuration.trustedProxies)
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
        if buffer.readableBytes > 0, exchange.state != .closed {
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
        case .resolving, .responding, .forwarding(.ended, _), .closed: false
        }
    }

    private func step(_ buffer: inout ByteBuffer) -> Bool {
        switch exchange.expects {
        case .head:
            // Who does not take answers gets no further ones: they would pile up here.
            guard clientIsWritable else { return false }
            guard buffer.readableBytes > 0 else {
                clientDeadline = loop.ticks + site.configuration.limits.keepAliveTimeout.wholeMilliseconds
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
            if result == .complete { used = begin(loop.head, bytes, waited: false) }
            return result
        }
        switch result {
        case .incomplete:
            if input == nil, !current.headHasBegun {
                current.headHasBegun = true
                clientDeadline = loop.ticks + site.configuration.limits.headTimeout.wholeMilliseconds
            }
            return false
        case .refused(let refusal):
            buffer.moveReaderIndex(forwardBy: buffer.readableBytes)
            refuseUnreadable(refusal)
            return false
        case .complete:
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
            if result == .complete { used = begin(loop.head, bytes, waited: true) }
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
        guard paused != isReadingPaused, let context = channelContext else { return }
        isReadingPaused = paused
        // A channel that is going away has no options any more, and then nothing is to be read either.
        try? context.channel.syncOptions?.setOption(.autoRead, value: !paused)
    }

    // MARK: Bytes for the client

    /// Hands `buffer` to the channel; goes out with the next `flushAnswer`.
    func write(_ buffer: ByteBuffer) {
        hasUnflushed = true
        channelContext?.write(wrapOutboundOut(buffer), promise: nil)
    }

    func flushAnswer() {
        guard hasUnflushed else { return }
        hasUnflushed = false
        channelContext?.flush()
    }

    var clientIsWritable: Bool { channelContext?.channel.isWritable ?? false }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        if let upstream { upstream.setPaused(!isWritable) }
        if case .tunnelling = exchange.state {
            // Whoever does not take bytes is idle, and that has its own time.
        } else if isWritable {
            clientDeadline = inputIsClosed ? loop.ticks + Self.halfClosedPatience : .max
            if upstream != nil { upstreamDeadline = loop.ticks + idleTimeout }
            if exchange.state == .idle {
                clientDeadline = loop.ticks + site.configuration.limits.keepAliveTimeout.wholeMilliseconds
                if input != nil { resumeInput() }
            }
        } else {
            clientDeadline = loop.ticks + site.configuration.limits.bodyTimeout.wholeMilliseconds
            upstreamDeadline = .max
        }
        context.fireChannelWritabilityChanged()
    }

    /// A client that has sent its last byte is still taking what we send.
    func noteProgress() {
        if inputIsClosed { clientDeadline = loop.ticks + Self.halfClosedPatience }
    }

    // MARK: Actions and timeouts

    func perform(_ action: Exchange.Action) {
        switch action {
        case .none: break
        case .next:
            current.headHasBegun = false
            clientDeadline = loop.ticks + site.configuration.limits.keepAliveTimeout.wholeMilliseconds
            upstreamDeadline = .max
        case .close: closeWhenWritten()
        case .endUpstream: upstream?.endOutput()
        case .endClient:
            flushAnswer()
            outputIsEnding = true
            channelContext?.close(mode: .output, promise: nil)
            clientDeadline = loop.ticks + Self.halfClosedPatience
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
            clientDeadline = min(
                clientDeadline, loop.ticks + site.configuration.limits.lingering.wholeMilliseconds)
        case .drain:
            clientDeadline = loop.ticks + min(5_000, site.configuration.limits.bodyTimeout.wholeMilliseconds)
            upstreamDeadline = .max
            pauseReading(false)
        }
    }

    func closeWhenWritten() {
        flushAnswer()
        clientDeadline = loop.ticks + Self.halfClosedPatience
        channelContext?.closeBehindWrites(outputIsEnding: outputIsEnding)
    }

    func checkTimeouts(_ now: Int64) {
        if watchPlace < 0, hasLasted(at: now) { loop.watch(self) }
        if upstreamDeadline <= now {
            upstreamDeadline = .max
            upstreamTimedOut()
        } else if clientDeadline <= now {
            clientDeadline = .max
            clientTimedOut()
        }
    }

    private func clientTimedOut() {
        switch exchange.state {
        case .forwarding(.streaming, .awaited), .collecting:
            // The body stopped coming; nothing has been answered.
            giveUpUpstream()
            exchange.closeAfterwards()
            answerFailure(status: 408, reason: nil, detail: "The request body did not come in time.")
            flushAnswer()
        case .idle, .resolving, .responding, .forwarding, .tunnelling, .draining, .closed:
            abort()
        }
    }
}
