import Core
import Logging
import NIOCore

/// Stands alone on a connection until the PROXY protocol header has come; then the rest takes its place, which sees the
/// address that the header told and the bytes behind it.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let loop: ProxyLoop
    private let socketAddress: SocketAddress?
    private let timeout: TimeAmount
    private let install: (SocketAddress?) throws -> Void
    private var input: ByteBuffer?
    private var deadline: Scheduled<Void>?
    private var isDone = false

    /// - Parameter install: puts what comes next behind this handler, for the client's address; nil: it is not known.
    init(
        loop: ProxyLoop, socketAddress: SocketAddress?, timeout: TimeAmount,
        install: @escaping (SocketAddress?) throws -> Void
    ) {
        self.loop = loop
        self.socketAddress = socketAddress
        self.timeout = timeout
        self.install = install
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if !isDone, case ChannelEvent.inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else { return context.fireErrorCaught(error) }
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return context.fireChannelRead(data) }
        var buffer = unwrapInboundIn(data)
        if var held = input {
            held.writeImmutableBuffer(buffer)
            buffer = held
        }
        switch buffer.withUnsafeReadableBytes({ ProxyProtocolHeader.parse($0) }) {
        case .needMore: input = buffer
        case .refused(let refusal): refuse(refusal.rawValue, context)
        case .complete(let source, let length):
            input = nil
            buffer.moveReaderIndex(forwardBy: length)
            proceed(source, rest: buffer, context)
        }
    }

    private func refuse(_ why: String, _ context: ChannelHandlerContext) {
        isDone = true
        loop.counters.countRefusedConnection(.proxyProtocol)
        let peer = loop.describe(socketAddress)
        loop.logRarely("proxy_protocol \(peer)", .warning, "a connection was closed for its PROXY protocol header") {
            ["peer": "\(peer)", "reason": "\(why)"]
        }
        context.close(promise: nil)
    }

    private func proceed(_ source: ProxyProtocolHeader.Source, rest: ByteBuffer, _ context: ChannelHandlerContext) {
        isDone = true
        deadline?.cancel()
        let address: SocketAddress?
        switch source {
        case .socket: address = socketAddress
        case .unknown: address = nil
        case .address(let told, let port): address = SocketAddress(told, port: port)
        }
        do {
            try install(address)
        } catch {
            return context.close(promise: nil)
        }
        // What came behind the header belongs to what stands behind this.
        if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

extension SocketAddress {
    /// Nil is not possible: both lengths are those of an address.
    init?(_ address: IPAddress, port: UInt16) {
        var packed = ByteBuffer()
        switch address.family {
        case .v4: packed.writeInteger(UInt32(truncatingIfNeeded: address.bits))
        case .v6:
            packed.writeInteger(UInt64(truncatingIfNeeded: address.bits >> 64))
            packed.writeInteger(UInt64(truncatingIfNeeded: address.bits))
        }
        guard let made = try? SocketAddress(packedIPAddress: packed, port: Int(port)) else { return nil }
        self = made
    }
}
