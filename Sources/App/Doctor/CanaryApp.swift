internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The app behind the canary route: it answers everything, and keeps what came for whoever asks by the probe's id.
final class CanaryApp: Sendable {
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let box: ArrivalBox

    /// - Throws: when it cannot listen there.
    static func start(host: String, port: Int) async throws -> CanaryApp {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let box = ArrivalBox()
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(CanaryHandler { box.add($0) })
                    }
                }
                .bind(host: host, port: port).get()
            return CanaryApp(channel: channel, group: group, box: box)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(channel: any Channel, group: MultiThreadedEventLoopGroup, box: ArrivalBox) {
        self.channel = channel
        self.group = group
        self.box = box
    }

    /// What came of the probe with this id, and is forgotten here.
    func take(_ id: String) -> [Arrival] { box.take(id) }

    func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

/// What has come, by the probe's id.
final class ArrivalBox: Sendable {
    private let arrivals = Mutex<[String: [Arrival]]>([:])
    private static let limit = 8

    func add(_ arrival: Arrival) {
        let id = arrival.values(folded: HeaderText.fold(Probe.idHeader)).first ?? ""
        arrivals.withLock { arrivals in
            // Whoever else finds this port must not fill the memory.
            guard arrivals.count < 1024, arrivals[id, default: []].count < Self.limit else { return }
            arrivals[id, default: []].append(arrival)
        }
    }

    func take(_ id: String) -> [Arrival] { arrivals.withLock { $0.removeValue(forKey: id) ?? [] } }
}

private final class CanaryHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let limit = 128 * 1024
    private static let body = "This is gatehouse doctor's canary.\n"
    private let keep: (Arrival) -> Void
    private var received = ""
    private var isOver = false

    init(_ keep: @escaping (Arrival) -> Void) {
        self.keep = keep
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        received += String(decoding: unwrapInboundIn(data).readableBytesView, as: UTF8.self)
        guard let end = received.firstRange(of: "\r\n\r\n") else {
            if received.utf8.count > Self.limit { context.close(promise: nil) }
            return
        }
        // One request a connection: what follows a head is of no interest.
        isOver = true
        let arrival = Arrival(String(received[..<end.lowerBound]))
        if let arrival { keep(arrival) }
        var answer = ByteBuffer()
        answer.writeString(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n"
                + "Content-Length: \(Self.body.utf8.count)\r\n\r\n")
        if arrival?.method != "HEAD" { answer.writeString(Self.body) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(answer)).assumeIsolated().whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
