import Logging
import NIOCore

/// Stops accepting while there are as many connections as there may be, or no descriptor is left: who comes then waits
/// in the kernel's queue. NIO itself would try again at once and for ever, and burn a processor.
final class AcceptGate: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let loop: NIOLoopBound<ProxyLoop>
    private let maximum: Int
    private var isPaused = false

    /// How long nothing is accepted; then it is looked at again.
    private static let pause = TimeAmount.milliseconds(50)

    init(loop: NIOLoopBound<ProxyLoop>, maximum: Int) {
        self.loop = loop
        self.maximum = maximum
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if loop.value.shared.connectionCount >= maximum {
            loop.value.logRarely("connections", .warning, "no connection is accepted: there are as many as may be") {
                [maximum] in ["connections": "\(maximum)"]
            }
            pause(context)
        }
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, error.isShortage else { return context.fireErrorCaught(error) }
        loop.value.counters.countRefusedConnection(.noDescriptor)
        loop.value.logRarely("accept", .error, "no connection can be accepted for the moment") {
            ["error": "\(error)"]
        }
        pause(context)
    }

    private func pause(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        scheduleLook(context)
    }

    private func scheduleLook(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [self] in
            guard context.channel.isActive else { return }
            guard loop.value.shared.connectionCount < maximum else { return scheduleLook(context) }
            isPaused = false
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
