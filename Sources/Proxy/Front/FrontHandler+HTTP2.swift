import NIOCore
import NIOTLS

/// The way out of HTTP/1.1 at the beginning of a connection: what was agreed on by TLS, or, without TLS, what the first
/// bytes say. Nothing of it is on the way of a request.
extension FrontHandler {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// The name of HTTP/2 in TLS (RFC 9113 section 3.2).
    static let nameInTLS = "h2"

    /// How much of the preface of HTTP/2 (RFC 9113 section 3.4) bytes are.
    enum Preface {
        case none, begun, complete
    }

    /// What `buffer`, which begins with no request of HTTP/1.1, is instead.
    func preface(in buffer: ByteBuffer) -> Preface {
        guard mayBecomeHTTP2 else { return .none }
        let bytes = buffer.readableBytesView
        guard bytes.starts(with: Self.preface.prefix(bytes.count)) else { return .none }
        return bytes.count >= Self.preface.count ? .complete : .begun
    }

    /// Gives the connection over, with the bytes that it has sent so far.
    func becomeHTTP2(_ context: ChannelHandlerContext, _ bytes: ByteBuffer?) {
        let connection = HTTP2Connection(loop: loop, client: connection)
        let pipeline = context.pipeline.syncOperations
        do {
            try connection.install(after: self, in: pipeline, context.channel)
        } catch {
            return context.close(promise: nil)
        }
        handOverPlace()
        // Our first frame may have found that nobody is there any more, before all of the handlers were.
        guard context.channel.isActive else { return connection.end() }
        if let bytes { context.fireChannelRead(wrapInboundOut(bytes)) }
        pipeline.removeHandler(context: context, promise: nil)
    }
}
