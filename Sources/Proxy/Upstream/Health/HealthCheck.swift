import Core
import HTTPWire
import NIOCore
import NIOHTTP2
import NIOPosix

/// One check of one server: a GET on a connection of its own, whose answer must begin in time and be 2xx or 3xx.
final class HealthCheck: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: UpstreamServer
    private let servers: UpstreamServers
    private let check: HealthCheckDescription
    private let tls: UpstreamTLS?
    private let eventLoop: any EventLoop
    private let timeout: TimeAmount
    private var parser = ResponseParser()
    private var head = ResponseHead()
    private var received = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var channel: (any Channel)?
    private var hasAsked = false
    private var isOver = false

    init(
        _ server: UpstreamServer, of servers: UpstreamServers, check: HealthCheckDescription, tls: UpstreamTLS?,
        on eventLoop: any EventLoop
    ) {
        self.server = server
        self.servers = servers
        self.check = check
        self.tls = tls
        self.eventLoop = eventLoop
        timeout = .milliseconds(min(check.every, servers.description.connectTimeout).wholeMilliseconds)
    }

    /// Begins, and reports to the servers when it is over. A name without an address is no illness of a server.
    func run() {
        guard let address = server.socketAddress else { return }
        let handshake: UpstreamHandshake?
        do {
            handshake = try makeHandshake()
        } catch {
            return end("\(error)")
        }
        let bound = NIOLoopBound((self, handshake), eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(in: timeout) { bound.value.0.end("no answer in time") }
        let connecting = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (check, handshake) = bound.value
                    check.channel = channel
                    guard let handshake else { return try check.join(channel, nil) }
                    try handshake.begin(on: channel)
                }
            }
            .connect(to: address)
        let joined = handshake?.outcome(of: connecting) ?? connecting.map { _ in }
        joined.assumeIsolated().whenFailure { self.failed($0) }
    }

    /// Nil where the server is spoken to plainly.
    private func makeHandshake() throws -> UpstreamHandshake? {
        guard case .tls(let host, _) = server.address, let tls else { return nil }
        return UpstreamHandshake(try tls.makeHandler(for: host, onlyHTTP1: false), on: eventLoop, timeout: timeout) {
            try self.join($0, $1)
        }
    }

    /// - Parameter negotiated: the protocol that TLS has agreed on.
    private func join(_ channel: any Channel, _ negotiated: String?) throws {
        let hasPriorKnowledge = if case .h2c = server.address { true } else { false }
        guard hasPriorKnowledge || negotiated == "h2" else {
            return try channel.pipeline.syncOperations.addHandler(self)
        }
        let multiplexer = try UpstreamConnection.addHTTP2(to: channel)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        multiplexer.createStreamChannel(promise: nil) { stream in
            stream.eventLoop.makeCompletedFuture {
                let codec = UpstreamStream(connection: nil, scheme: hasPriorKnowledge ? "http" : "https")
                try stream.pipeline.syncOperations.addHandlers(codec, bound.value)
            }
        }
    }

    /// Behind TLS the connection is there already.
    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { ask(context) }
    }

    func channelActive(context: ChannelHandlerContext) { ask(context) }

    private func ask(_ context: ChannelHandlerContext) {
        guard !isOver, !hasAsked else { return }
        hasAsked = true
        var request = ByteBuffer()
        request.writeString("GET \(check.path) HTTP/1.1\r\nHost: ")
        request.writeBytes(server.address.authority)
        request.writeStaticString("\r\nUser-Agent: gatehouse\r\nAccept: */*\r\nConnection: close\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        while !isOver {
            let result = received.withUnsafeReadableBytes { parser.parse($0, requestMethod: .get, into: &head) }
            switch result {
            case .incomplete: return
            case .refused(let refusal): return end("the answer is malformed: \(refusal.code.rawValue)")
            case .complete:
                received.moveReaderIndex(forwardBy: head.headLength)
                if !head.isInformational { judge() }
            }
        }
    }

    private func judge() {
        end((200..<400).contains(head.status) ? nil : "status \(head.status)")
    }

    func channelInactive(context: ChannelHandlerContext) { end("closed without an answer") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { failed(error) }

    private func failed(_ error: any Error) {
        end(UpstreamTLS.isCause(of: error) ? UpstreamTLS.explanation(of: error) : "\(error)")
    }

    private func end(_ problem: String?) {
        guard !isOver else { return }
        isOver = true
        deadline?.cancel()
        deadline = nil
        channel?.close(promise: nil)
        channel = nil
        servers.checked(server, problem: problem)
    }
}
