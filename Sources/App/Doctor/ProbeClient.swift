internal import Core
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Sends one head on a connection of its own, byte for byte, and takes what comes until the end or a few seconds.
struct ProbeClient: Sendable {
    let host: String
    let port: Int
    /// Nil: plain.
    let tls: NIOSSLContext?
    /// For TLS; nil where the target is an address.
    let serverName: String?

    private static let patience = TimeAmount.seconds(10)
    private static let limit = 64 * 1024

    /// - Returns: nil when nothing that looks like an answer came.
    /// - Throws: when there is no connection.
    func send(_ bytes: [UInt8]) async throws -> ProbeAnswer? {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = eventLoop.makePromise(of: String.self)
        let (tls, serverName) = (tls, serverName)
        let connecting = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: serverName))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        AnswerCollector(bytes, into: answer, limit: Self.limit))
                }
            }
            .connect(host: host, port: port)
        let channel: any Channel
        do {
            channel = try await connecting.get()
        } catch {
            answer.fail(error)
            _ = try? await answer.futureResult.get()
            throw error
        }
        let deadline = eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        return ProbeAnswer(try await answer.futureResult.get())
    }
}

private final class AnswerCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: [UInt8]
    private let limit: Int
    private var answer: EventLoopPromise<String>?
    private var received: [UInt8] = []
    private var failure: (any Error)?

    init(_ request: [UInt8], into answer: EventLoopPromise<String>, limit: Int) {
        self.request = request
        self.answer = answer
        self.limit = limit
    }

    func channelActive(context: ChannelHandlerContext) {
        // Behind TLS this is held until the handshake is over.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView
        if received.count > limit || isComplete { context.close(promise: nil) }
    }

    /// The head is there, and a body of known length, or none is to be expected. An answer to an Upgrade may never end.
    private var isComplete: Bool {
        guard let answer = ProbeAnswer(String(decoding: received, as: UTF8.self)), answer.status != 100 else {
            return false
        }
        if answer.status == 101 || answer.status == 204 || answer.status == 304 { return true }
        return answer.values("content-length").first.flatMap { Int($0) }.map { answer.body.utf8.count >= min($0, 4096) }
            ?? false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let answer = answer
        self.answer = nil
        // A certificate that cannot be trusted must be told; a reset behind an answer is of no interest.
        if received.isEmpty, let failure, failure is NIOSSLError || failure is NIOSSLExtraError {
            answer?.fail(failure)
        } else {
            answer?.succeed(String(decoding: received, as: UTF8.self))
        }
    }
}
