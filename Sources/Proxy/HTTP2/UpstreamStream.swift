import HTTPWire
import NIOCore
import NIOHPACK
import NIOHTTP2

/// How an exchange in HTTP/2 failed, for the `UpstreamHandler` above.
struct UpstreamStreamFailure: Error {
    let kind: UpstreamFailure
    /// The server has said that it did nothing about the request (RFC 9113 section 8.7), or it was never sent.
    let isUnsent: Bool
}

/// The bottom of one stream: HTTP/1.1 bytes above, frames below. The `UpstreamHandler` above does not notice that it is
/// not alone on its connection.
final class UpstreamStream: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Nil: nobody counts it.
    private let connection: UpstreamConnection?
    private let scheme: String
    /// Counts among the streams of the connection.
    private var isCounted = true
    /// Nil: the head has not come yet.
    private var request: BodyReader?
    private var requestEnded = false
    /// Of the request, not complete enough to go on.
    private var pending: ByteBuffer?
    private var answer = UpstreamAnswerBytes(method: .get)
    /// Of the answer, on their way up when this read is complete.
    private var out = ByteBuffer()
    private var hasFailed = false

    init(connection: UpstreamConnection?, scheme: String) {
        self.connection = connection
        self.scheme = scheme
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    /// Makes room for another stream.
    func leave() {
        guard isCounted else { return }
        isCounted = false
        connection?.streamEnded(answered: answer.isEnded)
    }

    // MARK: The request

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var buffer = unwrapOutboundIn(data)
        promise?.succeed(())
        if var held = pending {
            pending = nil
            held.writeImmutableBuffer(buffer)
            buffer = held
        }
        if request == nil { writeHead(&buffer, context) }
        while !requestEnded, !hasFailed, writeBody(&buffer, context) {}
        if buffer.readableBytes > 0, !requestEnded { pending = buffer }
    }

    private func writeHead(_ buffer: inout ByteBuffer, _ context: ChannelHandlerContext) {
        let head = buffer.withUnsafeReadableBytes { UpstreamRequestHead.read($0, scheme: scheme) }
        guard let head else { return fail(context, UpstreamStreamFailure(kind: .malformed, isUnsent: false)) }
        buffer.moveReaderIndex(forwardBy: head.length)
        let reader = BodyReader(head.framing)
        request = reader
        requestEnded = reader.isEmpty
        answer = UpstreamAnswerBytes(method: head.method)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenFailure { [self] _ in
            // TLS writes many streams' frames as one: a part of them may have arrived.
            fail(context, UpstreamStreamFailure(kind: .closed, isUnsent: false))
        }
        write(.headers(.init(headers: head.headers, endStream: requestEnded)), context, written)
    }

    /// - Returns: whether there may be more.
    private func writeBody(_ buffer: inout ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
        guard var reader = request else { return false }
        defer { request = reader }
        let (event, trailers) = buffer.withUnsafeReadableBytes { bytes -> (BodyReader.Event, HPACKHeaders?) in
            let event = reader.next(bytes)
            guard case .end = event, !reader.trailers.isEmpty else { return (event, nil) }
            return (event, UpstreamRequestHead.trailers(reader.trailers, in: bytes))
        }
        switch event {
        case .data(let range, let consumed):
            guard let piece = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) else {
                return false
            }
            buffer.moveReaderIndex(forwardBy: consumed)
            requestEnded = reader.isEmpty
            if piece.readableBytes > 0 || requestEnded {
                write(.data(.init(data: .byteBuffer(piece), endStream: requestEnded)), context)
            }
            return true
        case .needMore(let consumed):
            buffer.moveReaderIndex(forwardBy: consumed)
            return false
        case .end(let consumed):
            buffer.moveReaderIndex(forwardBy: consumed)
            requestEnded = true
            if let trailers {
                write(.headers(.init(headers: trailers, endStream: true)), context)
            } else {
                write(.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)), context)
            }
            return false
        case .invalid:
            fail(context, UpstreamStreamFailure(kind: .malformed, isUnsent: false))
            return false
        }
    }

    private func write(
        _ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>? = nil
    ) {
        context.write(wrapOutboundOut(payload), promise: promise)
    }

    /// A stream that both sides have ended closes by itself, in this very turn of the loop. Any other is reset: the
    /// server learns that nobody wants the rest.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard requestEnded, answer.isEnded else { return context.close(mode: mode, promise: promise) }
        promise?.succeed(())
        context.eventLoop.assumeIsolated().execute {
            if context.channel.isActive { context.close(promise: nil) }
        }
    }

    // MARK: The answer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection?.heard()
        guard !hasFailed else { return }
        do throws(UpstreamAnswerBytes.Malformed) {
            switch unwrapInboundIn(data) {
            case .headers(let headers):
                try answer.takeHeaders(headers.headers, isLast: headers.endStream, into: &out)
            case .data(let data):
                guard case .byteBuffer(let bytes) = data.data else { return }
                try answer.takeData(bytes, isLast: data.endStream, into: &out)
            case .priority, .rstStream, .settings, .pushPromise, .ping, .goAway, .windowUpdate, .alternativeService,
                .origin:
                break
            }
        } catch {
            connection?.noteMalformed(error.what)
            fail(context, UpstreamStreamFailure(kind: .malformed, isUnsent: false))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        passUp(context)
        context.fireChannelReadComplete()
    }

    private func passUp(_ context: ChannelHandlerContext) {
        guard out.readableBytes > 0 else { return }
        let bytes = out
        out = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(bytes))
    }

    private func fail(_ context: ChannelHandlerContext, _ failure: UpstreamStreamFailure) {
        guard !hasFailed else { return }
        hasFailed = true
        passUp(context)
        context.fireErrorCaught(failure)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let closed = error as? NIOHTTP2Errors.StreamClosed else {
            return fail(context, UpstreamStreamFailure(kind: .closed, isUnsent: false))
        }
        let isUnsent = closed.errorCode == .refusedStream || connection?.isBeyondGoAway(closed.streamID) == true
        fail(context, UpstreamStreamFailure(kind: .reset, isUnsent: isUnsent))
    }

    func channelInactive(context: ChannelHandlerContext) {
        passUp(context)
        // The connection went, and it is known why.
        if let kind = connection?.failure { fail(context, UpstreamStreamFailure(kind: kind, isUnsent: false)) }
        context.fireChannelInactive()
    }
}
