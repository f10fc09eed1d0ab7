import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// Clients that leave while a connection to the app is still being made: the attempt ends with them, and says nothing
/// about the app.
@Suite(.serialized)
struct LeavingClientTests {
    private static let key = "X-API-Key: gate_anna"

    /// A listener whose queue is full: the kernel drops whoever knocks, until the queue is taken.
    private final class FullListener: Sendable {
        let port: Int
        private let descriptor: Int32
        private let fillers: [Int32]

        init() {
            let (listening, port) = Sockets.listening(backlog: 0)
            descriptor = listening
            self.port = port
            fillers = (0..<4).map { _ in
                let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                _ = Sockets.withLoopback(port: port) { connect(filler, $0, $1) }
                return filler
            }
        }

        /// Takes whoever is there, and answers each who asks.
        func open() {
            // Whoever knocks again finds room.
            listen(descriptor, 1024)
            let listening = descriptor
            NamedThread.start(name: "listener") {
                while true {
                    let connection = accept(listening, nil, nil)
                    guard connection >= 0 else { return }
                    let client = RawClient(takingOwnership: connection)
                    NamedThread.start(name: "origin") {
                        while (try? client.readNow(until: "\r\n\r\n")) != nil {
                            client.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        }
                    }
                }
            }
        }

        /// Sockets of this machine that knock there.
        var knocking: Int {
            let text = (try? TextLines.read("/proc/net/tcp")) ?? []
            let place = ":" + String(port + 0x10000, radix: 16, uppercase: true).dropFirst()
            return text.count { line in
                let fields = line.split(separator: " ")
                return fields.count > 3 && fields[2].hasSuffix(place) && fields[3] == "02"
            }
        }

        deinit {
            for filler in fillers { close(filler) }
            shutdown(descriptor, Int32(SHUT_RDWR))
            close(descriptor)
        }
    }

    private func wait(until isTrue: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !isTrue() {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func harness(
        _ listener: FullListener, _ address: ((Int) -> UpstreamDescription.Address)? = nil,
        change: (inout Configuration) -> Void = { _ in }
    ) async throws -> Harness {
        try await Harness {
            $0.upstreams[0].addresses = [address?(listener.port) ?? .tcp(host: "127.0.0.1", port: listener.port)]
            $0.upstreams[0].connectTimeout = .seconds(60)
            change(&$0)
        }
    }

    @Test(arguments: ["http", "h2c"]) func theSocketGoesWithTheClient(_ scheme: String) async throws {
        let listener = FullListener()
        let before = listener.knocking
        let address: (Int) -> UpstreamDescription.Address = {
            scheme == "h2c" ? .h2c(host: "127.0.0.1", port: $0) : .tcp(host: "127.0.0.1", port: $0)
        }
        try await withHarness(try await harness(listener, address)) { harness in
            var clients: [RawClient] = []
            for _ in 0..<20 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                clients.append(client)
            }
            let expected = scheme == "h2c" ? 1 : 20
            try await wait { listener.knocking == before + expected }
            let last = clients.removeLast()
            for client in clients { client.resetOnClose() }
            clients = []
            // The one that stays keeps its attempt, also where all share one.
            try await wait { listener.knocking == before + 1 }
            #expect(harness.origin.connections == 0)
            last.resetOnClose()
            withExtendedLifetime(last) {}
        }
        try await wait { listener.knocking == before }
    }

    @Test func nothingIsHeldAgainstTheApp() async throws {
        let listener = FullListener()
        let before = listener.knocking
        try await withHarness(try await harness(listener)) { harness in
            for _ in 0..<10 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                try await wait { listener.knocking == before + 1 }
                client.resetOnClose()
            }
            try await wait { listener.knocking == before }
            #expect(!harness.log.contains("cannot be reached"))
            #expect(!harness.log.contains("an upstream failed"))
            #expect(!harness.log.contains("passed over"))
        }
    }

    @Test func manyWaitForTheirTurnAndAllAreAnswered() async throws {
        let listener = FullListener()
        let before = listener.knocking
        let limit = DialQueue<UpstreamDial>.limit
        try await withHarness(try await harness(listener)) { harness in
            var clients: [RawClient] = []
            for _ in 0..<limit + 20 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                clients.append(client)
            }
            try await wait { listener.knocking == before + limit }
            // Two of those who wait, and two whose turn it is, leave.
            for place in [limit + 3, limit + 2, 1, 0] { clients.remove(at: place).resetOnClose() }
            try await wait { listener.knocking == before + limit }
            listener.open()
            for client in clients {
                let status = try await client.readAnswer().status
                #expect(status == 200)
            }
        }
    }

    @Test func whoWaitsInVainForATurnIsTold() async throws {
        let listener = FullListener()
        let harness = try await harness(listener, change: { $0.upstreams[0].connectTimeout = .milliseconds(300) })
        try await withHarness(harness) { harness in
            var clients: [RawClient] = []
            for _ in 0..<DialQueue<UpstreamDial>.limit + 5 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                clients.append(client)
            }
            for client in clients {
                let status = try await client.readAnswer().status
                #expect(status == 504)
            }
        }
    }
}

/// Files of the kernel, which say nothing of their length.
private enum TextLines {
    struct Unreadable: Error {}

    static func read(_ path: String) throws -> [Substring] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw Unreadable() }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }
}
