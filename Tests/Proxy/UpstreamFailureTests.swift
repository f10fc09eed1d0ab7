import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// Upstreams that die, hang, or talk nonsense.
@Suite(.serialized)
struct UpstreamFailureTests {
    private static let key = "X-API-Key: gate_anna"

    @Test(arguments: [
        "garbage\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "",
        "HTTP/1.1 20",
    ])
    func nonsenseIs502(_ text: String) async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow(text)
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let answer = try await harness.get("/", [Self.key, "X-Request-Id: r1"])
            #expect(answer.status == 502)
            #expect(answer["X-Request-Id"] == "r1")
            #expect(answer["Gatehouse-Reason"] == "upstream_failed")
            #expect(answer["Content-Type"] == "application/problem+json")
            #expect(answer.body.contains("\"request_id\":\"r1\""))
        }
    }

    /// Who has to mend the app is told what is wrong with its answers, by the warning and by the access line.
    @Test(arguments: [
        ("garbage\r\n\r\n", "malformed_status_line"), ("HTTP/1.1 200 OK\n\n", "bare_line_feed"),
        ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "space_before_colon"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk_size_invalid"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "switch_not_asked_for"),
        (String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 33), "too_many_interim_answers"),
    ])
    func nonsenseHasAName(_ text: String, _ code: String) async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow(text)
        }
        try await withHarness(try await Harness(origin: origin) { $0.requestLog = .denied }) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key, "X-Request-Id: r1", "Connection: close"]))
            let all = try await client.readToEnd()
            #expect(all.contains("HTTP/1.1 502 "))
            #expect(harness.log.contains("warning an upstream failed code=\(code) kind=malformed request_id=r1"))
            #expect(harness.log.all.contains { $0.contains(" request ") && $0.contains("code=\(code)") })
        }
    }

    @Test func nobodyListeningIs503() async throws {
        let (descriptor, port) = Sockets.listening()
        close(descriptor)
        let harness = try await Harness { $0.upstreams[0].addresses = [.tcp(host: "127.0.0.1", port: port)] }
        try await withHarness(harness) { harness in
            do {
                let value = try await harness.get("/", [Self.key]).status
                #expect(value == 503)
            }
            // The same with a body that nobody will take.
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/", [Self.key, "Content-Length: 100000"]) + "abc")
            do {
                let value = try await client.readAnswer().status
                #expect(value == 503)
            }
        }
    }

    @Test func anotherServerTakesOver() async throws {
        let (descriptor, port) = Sockets.listening()
        close(descriptor)
        let origin = Origin.answering()
        let harness = try await Harness(origin: origin) {
            $0.upstreams[0].addresses = [
                .tcp(host: "127.0.0.1", port: port), .tcp(host: "127.0.0.1", port: origin.port),
            ]
            $0.upstreams[0].host = .upstream
        }
        try await withHarness(harness) { harness in
            for _ in 0..<6 {
                let answer = try await harness.send(
                    Harness.request("POST", "/", [Self.key, "Content-Length: 3"]) + "abc")
                #expect(answer.status == 200)
            }
            #expect(origin.requests.allSatisfy { $0.all("Host") == ["127.0.0.1:\(origin.port)"] && $0.body == "abc" })
        }
    }

    @Test func silenceIs504() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            while try !connection.readNow().isEmpty {}
        }
        let harness = try await Harness(origin: origin) { $0.upstreams[0].firstByteTimeout = .milliseconds(100) }
        try await withHarness(harness) { harness in
            do {
                let value = try await harness.get("/", [Self.key]).status
                #expect(value == 504)
            }
        }
    }

    @Test func aBodyThatStopsIsCutAndNeverLooksWhole() async throws {
        let framings = ["Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
        for framing in framings {
            let origin = Origin { connection, _ in
                _ = try Origin.readRequest(connection)
                connection.writeNow("HTTP/1.1 200 OK\r\n\(framing)")
            }
            try await withHarness(try await Harness(origin: origin)) { harness in
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                let all = try await client.readToEnd()
                #expect(all.hasPrefix("HTTP/1.1 200 OK"))
                #expect(all.contains("abc"))
                #expect(!all.hasSuffix("0\r\n\r\n"))
            }
        }
    }

    @Test func aBodyThatHangsIsCutAfterTheIdleTime() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            while try !connection.readNow().isEmpty {}
        }
        let harness = try await Harness(origin: origin) { $0.upstreams[0].idleTimeout = .milliseconds(100) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            do {
                let value = try await client.readToEnd().hasSuffix("abc")
                #expect(value)
            }
        }
    }

    @Test func aResetIsNoEndOfABodyUntilClose() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\n\r\nabc")
            // The reset may overtake the bytes unless they have been seen.
            usleep(100_000)
            connection.resetOnClose()
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            let all = try await client.readToEnd()
            #expect(all.contains("abc"))
            #expect(!all.contains("0\r\n\r\n"))
        }
    }

    /// An origin whose first connection serves one request and dies when the second one comes.
    private func dying(answerFirst: String = "") -> Origin {
        let box = OriginBox()
        let origin = Origin { connection, number in
            guard let origin = box.origin else { return }
            try origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            try origin.readRequest(connection)
            if number == 0 {
                connection.writeNow(answerFirst)
                return
            }
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        box.origin = origin
        return origin
    }

    @Test func anIdempotentRequestIsRepeatedOnceWhenAReusedConnectionDied() async throws {
        let origin = dying()
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            for _ in 0..<2 {
                try await client.write(Harness.request("GET", "/", [Self.key]))
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == 200)
                }
            }
            #expect(origin.connections == 2)
            #expect(origin.requests.count == 3)
        }
    }

    @Test func anythingElseIsNeverRepeated() async throws {
        let origin = dying()
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            _ = try await client.readAnswer()
            try await client.write(Harness.request("POST", "/", [Self.key, "Content-Length: 1"]) + "x")
            do {
                let value = try await client.readAnswer().status
                #expect(value == 502)
            }
            #expect(origin.requests.count == 2)
        }
        let partial = dying(answerFirst: "HTTP/1.1 2")
        try await withHarness(try await Harness(origin: partial)) { harness in
            let client = try harness.connect()
            for status in [200, 502] {
                try await client.write(Harness.request("GET", "/", [Self.key]))
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == status)
                }
            }
            #expect(partial.requests.count == 2)
        }
    }

    @Test func aConnectionThatTheUpstreamClosedIsNotTakenFromThePool() async throws {
        let closed = Counter()
        let box = OriginBox()
        let origin = Origin { connection, _ in
            try box.origin?.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.finishWriting()
            closed.add(1)
            _ = try connection.readNow()
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            for number in 1...3 {
                do {
                    let value = try await harness.send(Harness.request("POST", "/", [Self.key, "Content-Length: 0"]))
                        .status
                    #expect(value == 200)
                }
                while closed.value < number { try await Task.sleep(for: .milliseconds(1)) }
            }
            #expect(origin.requests.count == 3)
        }
    }

    @Test func aClientThatGoesAwayTakesItsUpstreamConnectionWithIt() async throws {
        let ended = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nabc")
            while try !connection.readNow().isEmpty {}
            ended.add(1)
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            do {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                _ = try await client.read(until: "abc")
                client.resetOnClose()
            }
            while ended.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }
}
