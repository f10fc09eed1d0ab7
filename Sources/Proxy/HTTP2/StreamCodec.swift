import HTTPWire
import NIOCore
import NIOHPACK
import NIOHTTP2

/// The bottom of one stream's channel: frames below, the bytes of an HTTP/1.1 connection with one request above. It
/// only runs what `RequestStream`, `RequestBytes` and `AnswerFrames` say.
///
/// A close from above ends the stream, not the connection: gracefully (`.output`) with what was written, at once
/// (`.all`) with a reset, so that an answer that is cut short never looks whole.
final class StreamCodec: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let connection: HTTP2Connection
    /// Its place in the connection's list.
    var place = -1
    private var request = RequestStream()
    private var answer = AnswerFrames()
    /// The last byte of the answer has been handed to the kernel.
    private var answerIsOut = false
    private var resetWhenOut = false
    private var isReset = false
    private var channelContext: ChannelHandlerContext?

    /// The request has come to its end.
    var hasRequest: Bool { request.hasEnded }

    init(connection: HTTP2Connection) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        connection.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connection.closed(self)
        channelContext = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        isReset = true
        connection.closed(self)
        context.fireChannelInactive()
    }

    /// The connection is gone.
    func connectionEnded() {
        guard let context = channelContext else { return }
        channelInactive(context: context)
    }

    // MARK: The way up

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            if request.state == .idle {
                takeHead(frame, context)
            } else {
                takeTrailers(frame, context)
            }
        case .data(let frame):
            connection.delivered()
            takeData(frame, context)
        case .priority, .rstStream, .settings, .pushPromise, .ping, .goAway, .windowUpdate, .alternativeService,
            .origin:
            break
        }
    }

    private func takeHead(_ frame: HTTP2Frame.FramePayload.Headers, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: 1024)
        do throws(RequestBytes.Malformed) {
            let head = try RequestBytes.writeHead(frame.headers, endStream: frame.endStream, into: &buffer)
            answer.isHead = head.isHead
            pass(buffer, request.head(head.framing, endStream: frame.endStream), context)
        } catch {
            pass(buffer, request.refuse(), context)
        }
    }

    private func takeTrailers(_ frame: HTTP2Frame.FramePayload.Headers, _ context: ChannelHandlerContext) {
        var buffer = ByteBuffer()
        let isChunked = request.isChunked
        do throws(RequestBytes.Malformed) {
            try RequestBytes.writeTrailers(frame.headers, into: &buffer)
            // Behind a body of known length HTTP/1.1 has no place for trailers.
            if !isChunked { buffer.clear() }
            pass(buffer, request.trailers(endStream: frame.endStream), context)
        } catch {
            pass(buffer, request.refuse(), context)
        }
    }

    private func takeData(_ frame: HTTP2Frame.FramePayload.Data, _ context: ChannelHandlerContext) {
        guard case .byteBuffer(let piece) = frame.data else { return }
        let isChunked = request.isChunked
        let step = request.data(piece.readableBytes, endStream: frame.endStream)
        guard isChunked else { return pass(piece, step, context) }
        var buffer = context.channel.allocator.buffer(capacity: piece.readableBytes + 16)
        if piece.readableBytes > 0 {
            ChunkedEncoder.writeHead(piece.readableBytes, into: &buffer)
            buffer.writeImmutableBuffer(piece)
            ChunkedEncoder.writeTail(into: &buffer)
        }
        if step == .passLast { ChunkedEncoder.writeEnd(into: &buffer) }
        pass(buffer, step, context)
    }

    private func pass(_ buffer: ByteBuffer, _ step: RequestStream.Step, _ context: ChannelHandlerContext) {
        switch step {
        case .pass, .passLast:
            if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
        case .ignore: break
        case .malformed: reset(.protocolError)
        }
    }

    /// What goes wrong with one stream ends that stream.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reset(.internalError)
    }

    // MARK: The way down

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isReset, !answer.hasEnded else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        do throws(AnswerFrames.Unreadable) {
            try answer.take(unwrapOutboundIn(data), head: &connection.loop.streamHead) { frame in
                write(frame, isLast: Self.endsStream(frame), context)
            }
            promise?.succeed(())
        } catch {
            promise?.fail(ChannelError.inappropriateOperationForState)
            reset(.internalError)
        }
    }

    private func write(_ frame: HTTP2Frame.FramePayload, isLast: Bool, _ context: ChannelHandlerContext) {
        // With both halves at their end the stream closes by itself.
        guard isLast, !request.hasEnded else { return context.write(wrapOutboundOut(frame), promise: nil) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { [self] in
            answerIsOut = true
            if resetWhenOut { reset(.noError) }
        }
        context.write(wrapOutboundOut(frame), promise: written)
    }

    private static func endsStream(_ frame: HTTP2Frame.FramePayload) -> Bool {
        switch frame {
        case .headers(let headers): headers.endStream
        case .data(let data): data.endStream
        case .priority, .rstStream, .settings, .pushPromise, .ping, .goAway, .windowUpdate, .alternativeService,
            .origin:
            false
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .input: break
        case .output: finish(context)
        case .all: reset(answerIsOut ? .noError : .internalError)
        }
        promise?.succeed(())
    }

    /// What was written still goes out; a body that nobody waits for is not wanted any more (RFC 9113 section 8.1).
    private func finish(_ context: ChannelHandlerContext) {
        if !answer.hasEnded, let last = answer.closed() {
            write(last, isLast: true, context)
            context.flush()
        }
        guard answer.hasEnded else { return reset(.internalError) }
        guard !request.hasEnded else { return }
        if answerIsOut { reset(.noError) } else { resetWhenOut = true }
    }

    /// Ends the stream for both sides.
    func reset(_ code: HTTP2ErrorCode) {
        guard !isReset, let context = channelContext else { return }
        isReset = true
        context.writeAndFlush(wrapOutboundOut(.rstStream(code)), promise: nil)
    }
}
