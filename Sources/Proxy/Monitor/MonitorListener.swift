import Core
import Glibc
import HTTPWire
import Logging
import NIOCore
import NIOPosix

/// `/healthz`, `/readyz` and `/metrics`, on a listener of their own and nowhere else.
struct MonitorListener {
    let loop: NIOLoopBound<ProxyLoop>
    let exposition: Exposition
    let services: ProxyServer.Services
    /// No more connections are taken, and those that are there come to their end.
    let isStopping: @Sendable () -> Bool

    func bind(_ address: ListenerAddress) async throws(ProxyError) -> (channel: any Channel, bound: BoundAddress) {
        let exposition = exposition
        let services = services
        let isStopping = isStopping
        let loop = loop
        let bootstrap = ServerBootstrap(group: loop.eventLoop)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // However many clients there are: this one is for whoever wants to know that.
                    try channel.pipeline.syncOperations.addHandler(AcceptGate(loop: loop, maximum: .max))
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = MonitorHandler(
                        exposition: exposition, services: services, isStopping: isStopping)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        switch address {
        case .tcp(let host, let port):
            do {
                let channel = try await bootstrap.bind(host: host, port: port).get()
                return (channel, BoundAddress(channel.localAddress, path: nil))
            } catch {
                throw Listener.error(error, "\(host):\(port)")
            }
        case .unix(let path, let mode, let group):
            try UnixSocketFile.prepare(path)
            let channel: any Channel
            do {
                channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
            } catch {
                throw Listener.error(error, "unix:\(path)")
            }
            try UnixSocketFile.giveOver(path, mode: mode, group: group, orClose: channel)
            return (channel, BoundAddress(nil, path: path))
        case .passed(let name, _):
            throw ProxyError(.invalidAddress, "the monitor cannot listen on systemd:\(name)")
        }
    }
}

/// One request a connection is enough for a scrape every few seconds.
final class MonitorHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let exposition: Exposition
    private let services: ProxyServer.Services
    private let isStopping: @Sendable () -> Bool
    private var parser = RequestParser()
    private var head = RequestHead()
    private var input = ByteBuffer()
    private var isAnswering = false
    private var timeout: Scheduled<Void>?

    init(
        exposition: Exposition, services: ProxyServer.Services, isStopping: @escaping @Sendable () -> Bool
    ) {
        self.exposition = exposition
        self.services = services
        self.isStopping = isStopping
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: .seconds(30)) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswering else { return }
        var buffer = unwrapInboundIn(data)
        input.writeBuffer(&buffer)
        let result = input.withUnsafeReadableBytes { parser.parse($0, into: &head) }
        switch result {
        case .incomplete: return
        case .refused(let refusal):
            isAnswering = true
            answer(context, status: refusal.status, type: "text/plain", body: refusal.description + "\n", isHead: false)
        case .complete:
            isAnswering = true
            respond(context)
        }
    }

    private func respond(_ context: ChannelHandlerContext) {
        let path = input.withUnsafeReadableBytes { String(decoding: head.path.bytes(in: $0), as: UTF8.self) }
        let isHead = head.methodKind == .head
        guard head.methodKind == .get || isHead else {
            return answer(context, status: 405, type: "text/plain", body: "only GET is served\n", isHead: false)
        }
        let exposition = exposition
        let services = services
        let isStopping = isStopping
        let eventLoop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: eventLoop)
        Task {
            let page = await Page.make(path, exposition, services, isStopping: isStopping)
            eventLoop.execute {
                handler.value.answer(
                    boundContext.value, status: page.status, type: page.type, body: page.body, isHead: isHead)
            }
        }
    }

    private func answer(_ context: ChannelHandlerContext, status: Int, type: String, body: String, isHead: Bool) {
        var buffer = ByteBuffer()
        AnswerWriter.writeStatusLine(status, into: &buffer)
        buffer.writeString("Content-Type: \(type)\r\nCache-Control: no-store\r\nConnection: close\r\n")
        let setting = AnswerWriter.Setting(isHead: isHead, isOldVersion: false, keepsAlive: false)
        AnswerWriter.writeBody(ByteBuffer(string: body), setting, into: &buffer)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// What the monitor answers.
private struct Page: Sendable {
    var status = 200
    var type = "text/plain"
    let body: String

    static func make(
        _ path: String, _ exposition: Exposition, _ services: ProxyServer.Services, isStopping: () -> Bool
    ) async -> Page {
        switch path {
        case "/healthz": return Page(body: "alive\n")
        // A load balancer that was told otherwise would send people to a closed door.
        case "/readyz" where isStopping(): return Page(status: 503, body: "not ready\nstopping\n")
        case "/readyz":
            switch await services.readiness() {
            case .ready: return Page(body: "ready\n")
            case .notReady(let reasons):
                return Page(status: 503, body: (["not ready"] + reasons).joined(separator: "\n") + "\n")
            }
        case "/metrics":
            return Page(type: "text/plain; version=0.0.4; charset=utf-8", body: await exposition.text())
        default: return Page(status: 404, body: "there is nothing here\n")
        }
    }
}
