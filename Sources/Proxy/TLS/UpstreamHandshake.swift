import NIOCore
import NIOSSL
import NIOTLS

/// Stands where the upstream's handlers will stand for as long as TLS is being agreed on; what goes wrong until then is
/// the connection's failure, and no exchange sees it.
final class UpstreamHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let tls: NIOSSLClientHandler
    private let install: (any Channel, String?) throws -> Void
    private let done: EventLoopPromise<Void>
    private var deadline: Scheduled<Void>?
    private var channelContext: ChannelHandlerContext?

    /// - Parameters:
    ///   - timeout: for the connection and the handshake together.
    ///   - install: puts the handlers of the protocol that was agreed on into the channel.
    init(
        _ tls: NIOSSLClientHandler, on eventLoop: any EventLoop, timeout: TimeAmount,
        install: @escaping (any Channel, String?) throws -> Void
    ) {
        self.tls = tls
        self.install = install
        done = eventLoop.makePromise()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(in: timeout) { bound.value.abandon(ChannelError.connectTimeout(timeout)) }
    }

    func begin(on channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers(tls, self)
    }

    /// Succeeds when the upstream's handlers are in their place.
    ///
    /// - Parameter connecting: the connection below.
    func outcome(of connecting: EventLoopFuture<any Channel>) -> EventLoopFuture<Void> {
        connecting.assumeIsolated().whenFailure { self.fail($0) }
        return done.futureResult
    }

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let negotiated)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        deadline?.cancel()
        do {
            try install(context.channel, negotiated)
        } catch {
            return fail(error)
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        done.succeed(())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

    func channelInactive(context: ChannelHandlerContext) { fail(ChannelError.eof) }

    /// Ends it without a word of TLS to the server, which would be waited for.
    func abandon(_ error: any Error) {
        deadline?.cancel()
        let below = try? channelContext?.pipeline.syncOperations.context(handler: tls)
        done.fail(error)
        below?.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        deadline?.cancel()
        done.fail(error)
        channelContext?.close(promise: nil)
    }
}
