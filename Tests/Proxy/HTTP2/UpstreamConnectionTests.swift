import Core
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP2
import Policy
import Testing

@testable import Proxy

/// One HTTP/2 connection to an app in a channel of its own: what the server says decides what may still begin.
struct UpstreamConnectionTests {
    private static let settings: UInt8 = 4
    private static let reset: UInt8 = 3
    private static let ping: UInt8 = 6
    private static let goAway: UInt8 = 7

    /// A loop, a pool and a connection whose other end is the test.
    private final class Line {
        let eventLoop = EmbeddedEventLoop()
        let loop: ProxyLoop
        let connection: UpstreamConnection
        let channel: EmbeddedChannel
        let log = LogRecords()
        private let server: UpstreamConnections
        private(set) var handlers: [UpstreamHandler] = []
        private(set) var refused = 0

        init() throws {
            var configuration = Configuration(
                listeners: [], publicURL: "https://auth.example.com", snapshot: try Snapshot.compile(Harness.routes),
                routes: Harness.routes.map { _ in RouteParameters(upstream: 0) },
                upstreams: [UpstreamDescription(name: "wiki", addresses: [.h2c(host: "127.0.0.1", port: 9)])])
            configuration.limits.upstreamKeepAlive = .seconds(50)
            let log = log
            let logger = Logger(label: "test") { _ in RecordingLogHandler(log) }
            let services = ProxyServer.Services(
                clock: FixedClock(), logger: logger, responders: [], readiness: { .ready }, metrics: { "" }, seed: 7,
                makeContext: { _ in
                    LoopContext(credentials: StubReader([:]), decisions: RecordingSink(Records()), assertions: nil)
                }, resolver: StubResolver())
            loop = ProxyLoop(
                eventLoop: eventLoop,
                site: try Site(configuration, names: NameThreads(StubResolver()), logger: logger),
                context: try services.makeContext(0), services: services, shared: SharedState(), number: 0)
            server = UpstreamConnections(
                loop: loop, pool: loop.pools[0], endpoint: 0, hasPriorKnowledge: true, keepAlive: 50_000)
            connection = UpstreamConnection(loop: loop, server: server, scheme: "http")
            channel = EmbeddedChannel(loop: eventLoop)
            try connection.install(on: channel)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 9)).wait()
            _ = try sent()
        }

        func say(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) throws {
            let bytes =
                [0, 0, UInt8(payload.count), type, flags]
                + stride(from: 24, through: 0, by: -8).map {
                    UInt8(truncatingIfNeeded: stream >> UInt32($0))
                } + payload
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            eventLoop.run()
        }

        /// Types of the frames that went out, the preface left out.
        func sent() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
                bytes += Array(buffer.readableBytesView)
            }
            if bytes.starts(with: Array("PRI ".utf8)) { bytes.removeFirst(24) }
            var types: [UInt8] = []
            while bytes.count >= 9 {
                let length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
                types.append(bytes[3])
                bytes.removeFirst(min(bytes.count, 9 + length))
            }
            return types
        }

        /// Opens a stream and sends a request on it.
        func open() {
            connection.open { [self] handler in
                guard let handler else {
                    refused += 1
                    return
                }
                handlers.append(handler)
                handler.write(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: app\r\n\r\n"))
                handler.flush()
            }
            eventLoop.run()
        }

        func end() {
            for handler in handlers { handler.discard() }
            connection.close()
            eventLoop.run()
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
    }

    private func withLine(_ body: (Line) throws -> Void) throws {
        let line = try Line()
        defer { line.end() }
        try body(line)
    }

    @Test func theServerSaysHowManyStreamsThereMayBe() throws {
        try withLine { line in
            #expect(line.connection.hasRoom)
            try line.say(Self.settings, [0, 3, 0, 0, 0, 2])
            line.open()
            #expect(line.connection.hasRoom)
            line.open()
            #expect(!line.connection.hasRoom)
            #expect(line.connection.streams == 2)
            line.handlers[0].discard()
            line.eventLoop.run()
            #expect(line.connection.hasRoom)
            #expect(line.connection.streams == 1)
        }
    }

    @Test func aConnectionInUseIsNeverIdle() throws {
        try withLine { line in
            let before = line.connection.idleUntil
            #expect(before < .max)
            line.open()
            #expect(line.connection.idleUntil == .max)
            line.handlers[0].discard()
            line.eventLoop.run()
            #expect(line.connection.idleUntil < .max)
        }
    }

    @Test func afterGoAwayNothingBegins() throws {
        try withLine { line in
            try line.say(Self.settings)
            line.open()
            try line.say(Self.goAway, [0, 0, 0, 1, 0, 0, 0, 0])
            #expect(!line.connection.isOpen)
            #expect(!line.connection.isBeyondGoAway(1))
            #expect(line.connection.isBeyondGoAway(3))
            line.open()
            #expect(line.refused == 1)
            // The one that is under way may end, and then so does the connection.
            #expect(line.channel.isActive)
            line.handlers[0].discard()
            line.eventLoop.run()
            #expect(!line.channel.isActive)
            #expect(!line.log.contains("an upstream ends an HTTP/2 connection"))
        }
    }

    @Test func anAngryGoAwayIsLogged() throws {
        try withLine { line in
            try line.say(Self.settings)
            try line.say(Self.goAway, [0, 0, 0, 0, 0, 0, 0, 11])
            #expect(line.log.contains("an upstream ends an HTTP/2 connection"))
            #expect(!line.channel.isActive)
        }
    }

    @Test func silenceMakesItSuspect() throws {
        try withLine { line in
            line.open()
            let start = line.loop.ticks
            line.connection.suspect(silentSince: start - 1)
            #expect(line.connection.isOpen)
            line.connection.suspect(silentSince: start)
            #expect(!line.connection.isOpen)
        }
    }

    @Test func itSaysFarewell() throws {
        try withLine { line in
            line.connection.close()
            line.eventLoop.run()
            let sent = try line.sent()
            #expect(sent.contains(Self.goAway))
            #expect(!line.channel.isActive)
            line.open()
            #expect(line.refused == 1)
        }
    }

    @Test func whoDoesNotSpeakHTTP2IsTold() throws {
        try withLine { line in
            _ = try? line.channel.writeInbound(
                ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
            line.eventLoop.run()
            #expect(line.connection.failure == .malformed)
            #expect(!line.connection.isOpen)
            #expect(line.log.contains("does not speak HTTP/2"))
        }
    }

    @Test func aResetConcernsOneStream() throws {
        try withLine { line in
            try line.say(Self.settings)
            line.open()
            line.open()
            _ = try? line.say(Self.reset, stream: 1, [0, 0, 0, 8])
            #expect(line.connection.isOpen)
            #expect(line.connection.failure == nil)
            #expect(line.connection.streams == 1)
        }
    }

    @Test func pingsAreAnswered() throws {
        try withLine { line in
            try line.say(Self.settings)
            _ = try line.sent()
            try line.say(Self.ping, [UInt8](repeating: 7, count: 8))
            let sent = try line.sent()
            #expect(sent.contains(Self.ping))
        }
    }
}
