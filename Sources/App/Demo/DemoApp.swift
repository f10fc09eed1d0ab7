internal import HTTPWire
internal import NIOCore
internal import NIOPosix

/// An app that knows nothing about signing in: it answers each request with what it received.
final class DemoApp: Sendable {
    /// Where it listens on 127.0.0.1.
    let port: UInt16
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Listens on a free port of loopback.
    static func start() async throws -> DemoApp {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DemoHandler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DemoApp(channel: channel, group: group)
    }

    private init(channel: any Channel, group: MultiThreadedEventLoopGroup) {
        self.channel = channel
        self.group = group
        port = UInt16(channel.localAddress?.port ?? 0)
    }

    func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

private final class DemoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var received = ByteBuffer()
    private var parser = RequestParser()
    private var head = RequestHead()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        while true {
            let result = received.withUnsafeReadableBytes { parser.parse($0, into: &head) }
            guard case .complete = result else {
                if case .refused = result { context.close(promise: nil) }
                return
            }
            guard let answer = received.readSlice(length: head.headLength).map(answer) else { return }
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            // What follows a request with a body is not looked at: the demo shows heads.
            guard head.framing == .none, head.keepAlive else {
                context.close(promise: nil)
                return
            }
        }
    }

    private func answer(_ bytes: ByteBuffer) -> ByteBuffer {
        let text = "This is the demo app. It received:\n\n" + String(buffer: bytes)
        let isLast = head.framing != .none || !head.keepAlive
        var answer = ByteBuffer()
        answer.writeString("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n")
        answer.writeString("X-Content-Type-Options: nosniff\r\nContent-Length: \(text.utf8.count)\r\n")
        answer.writeString(isLast ? "Connection: close\r\n\r\n" : "\r\n")
        if head.methodKind != .head { answer.writeString(text) }
        return answer
    }
}

/// Ports that were free a moment ago: good enough for a demo, whose listeners say so when somebody was faster.
enum FreePort {
    static func find() async throws -> UInt16 {
        let group = MultiThreadedEventLoopGroup.singleton
        let channel = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(channel.localAddress?.port ?? 0)
        try await channel.close()
        return port
    }
}
