import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// Bodies in both directions, in every framing.
@Suite(.serialized)
struct BodyTests {
    private static let key = "X-API-Key: gate_anna"

    /// An origin that answers each request with the next of `answers`.
    private func origin(_ answers: [String], closes: Bool = false) -> Origin {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            while let origin = box.origin {
                let count = origin.requests.count
                try origin.readRequest(connection)
                connection.writeNow(answers[min(count, answers.count - 1)])
                if closes { return }
            }
        }
        box.origin = origin
        return origin
    }

    @Test func aLengthGoesThroughAsItIs() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/", [Self.key, "Content-Length: 10"]) + "01234")
            try await client.write("56789" + Harness.request("GET", "/next", [Self.key]))
            for _ in 0..<2 { _ = try await client.readAnswer() }
            let seen = harness.origin.requests
            #expect(seen[0].body == "0123456789")
            #expect(seen[0].all("Content-Length") == ["10"])
            #expect(seen[1].requestLine == "GET /next HTTP/1.1")
        }
    }

    @Test func chunksAreReframedAndExtensionsDropped() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            let head = try Origin.readRequest(connection)
            box.origin?.remember(head)
            box.origin?.remember(Answer(head: try connection.readNow(until: "0\r\nX-Sum: 1\r\n\r\n")))
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            let body =
                "5;name=value\r\nhello\r\n06\r\n world\r\n0\r\nX-Sum: 1\r\nRemote-User: root\r\nremote_user: root\r\n"
                + "Content-Length: 3\r\nHost: evil\r\nCookie: a\r\nAuthorization: x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"
            let answer = try await harness.send(
                Harness.request("POST", "/", [Self.key, "Transfer-Encoding: chunked"]) + body)
            #expect(answer.status == 200)
            #expect(origin.requests[0].all("Transfer-Encoding") == ["chunked"])
            // The head and all that came with it may be one chunk or two; trailers of ours and of framing are gone.
            let raw = origin.requests[1].head
            #expect(raw == "b\r\nhello world\r\n0\r\nX-Sum: 1\r\n\r\n")
        }
    }

    @Test func aBodyByteByByteArrivesWhole() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            box.origin?.remember(Answer(head: try connection.readNow(until: "0\r\n\r\n")))
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("PUT", "/", [Self.key, "Transfer-Encoding: chunked"]))
            for byte in "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n".utf8 { try await client.write([byte]) }
            do {
                let value = try await client.readAnswer().status
                #expect(value == 200)
            }
            // However it was cut, the letters come in order.
            let letters = origin.requests[0].head.split(separator: "\r\n").enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }.joined()
            #expect(letters == "abcde")
        }
    }

    @Test func answersWithALengthChunksOrTheCloseAsTheirEnd() async throws {
        let origin = origin([
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-End: yes\r\nRemote-User: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n",
        ])
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            func next() async throws -> Answer {
                try await client.write(Harness.request("GET", "/", [Self.key]))
                return try await client.readAnswer()
            }
            let chunked = try await next()
            #expect(chunked.body == "hello!")
            #expect(chunked.trailers == ["X-End: yes"])
            do {
                let value = try await next().body
                #expect(value == "abc")
            }
            do {
                let value = try await next().status
                #expect(value == 204)
            }
            let unchanged = try await next()
            #expect(unchanged.status == 304)
            #expect(unchanged["Content-Length"] == "77")
            #expect(origin.connections == 1)
        }
    }

    @Test func aBodyUntilCloseIsChunkedForTheClient() async throws {
        let origin = origin(["HTTP/1.1 200 OK\r\n\r\nuntil the end"], closes: true)
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            for _ in 0..<2 {
                try await client.write(Harness.request("GET", "/", [Self.key]))
                let answer = try await client.readAnswer()
                #expect(answer["Transfer-Encoding"] == "chunked")
                #expect(answer.body == "until the end")
            }
            #expect(origin.connections == 2)
            let old = try harness.connect()
            try await old.write(
                "GET / HTTP/1.0\r\nHost: wiki.example.com\r\n\(Self.key)\r\nConnection: keep-alive\r\n\r\n")
            let all = try await old.readToEnd()
            #expect(all.hasSuffix("\r\n\r\nuntil the end"))
            #expect(!all.contains("chunked"))
        }
    }

    @Test func headHasNoBody() async throws {
        let origin = origin([
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ])
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            for _ in 0..<2 {
                try await client.write(Harness.request("HEAD", "/", [Self.key]))
                do {
                    let value = try await client.readAnswer(hasBody: false).status
                    #expect(value == 200)
                }
            }
            try await client.write(Harness.request("HEAD", "/"))
            let refused = try await client.readAnswer(hasBody: false)
            #expect(refused.status == 401)
            #expect(Int(refused["Content-Length"] ?? "0")! > 100)
            try await client.write(Harness.request("GET", "/admin/x", [Self.key]))
            do {
                let value = try await client.readAnswer().status
                #expect(value == 403)
            }
            #expect(origin.connections == 1)
        }
    }

    @Test func informationalAnswersAreForwarded() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            let head = try Origin.readRequest(connection)
            box.origin?.remember(head)
            connection.writeNow("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            _ = try connection.readNow(until: "hello")
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(
                Harness.request("POST", "/", [Self.key, "Content-Length: 5", "Expect: 100-continue"]))
            let hints = try await client.readAnswer()
            #expect(hints.status == 103)
            #expect(hints["Link"] == "</a>")
            do {
                let value = try await client.readAnswer().status
                #expect(value == 100)
            }
            try await client.write("hello")
            do {
                let value = try await client.readAnswer().status
                #expect(value == 200)
            }
            #expect(origin.requests[0].all("Expect") == ["100-continue"])
            // HTTP/1.0 knows no 1xx.
            let old = try harness.connect()
            try await old.write("GET / HTTP/1.0\r\nHost: wiki.example.com\r\n\(Self.key)\r\n\r\n")
            do {
                let value = try await old.readToEnd().hasPrefix("HTTP/1.1 200")
                #expect(value)
            }
        }
    }

    @Test func anEarlyAnswerGoesOutAndTheRestOfTheBodyIsDrained() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope")
            while try !connection.readNow().isEmpty {}
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/", [Self.key, "Content-Length: 100000"]) + "some")
            let answer = try await client.readAnswer()
            #expect(answer.status == 403)
            #expect(answer.body == "nope")
            try await client.write(String(repeating: "x", count: 70_000))
            do {
                let value = try await client.readToEnd().isEmpty
                #expect(value)
            }
        }
    }

    @Test func aBodyThatIsTooLargeIsRefused() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            while try !connection.readNow().isEmpty {}
        }
        let harness = try await Harness(origin: origin) { $0.routes[0].maximumBody = 10 }
        try await withHarness(harness) { harness in
            let announced = try await harness.send(Harness.request("POST", "/", [Self.key, "Content-Length: 11"]))
            #expect(announced.status == 413)
            #expect(announced["Gatehouse-Reason"] == "too_large")
            let chunked = try await harness.send(
                Harness.request("POST", "/", [Self.key, "Transfer-Encoding: chunked"]) + "b\r\n01234567890\r\n0\r\n\r\n"
            )
            #expect(chunked.status == 413)
        }
    }

    @Test func aChunkThatIsNoneEndsInARefusal() async throws {
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            while try !connection.readNow().isEmpty {}
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(
                Harness.request("POST", "/", [Self.key, "Transfer-Encoding: chunked"]) + "5\r\nhelloXX5\r\n")
            let all = try await client.readToEnd()
            #expect(all.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func aSlowReaderHoldsTheUpstreamBackAndLosesNothing() async throws {
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        let sent = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
            for _ in 0..<64 {
                connection.writeNow(piece)
                sent.add(1)
            }
            _ = try connection.readNow()
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            let head = try await client.read(until: "\r\n\r\n")
            #expect(head.contains("Content-Length: \(64 << 20)"))
            // What the origin can get rid of is what fits the sockets' buffers; the rest has to wait for the reader.
            var last = -1
            while sent.value != last {
                last = sent.value
                try await Task.sleep(for: .milliseconds(300))
            }
            #expect(last < 48)
            var received = 0
            while received < 64 << 20 {
                let some = try await client.read(1 << 20)
                try #require(!some.isEmpty)
                received += some.count
            }
            #expect(received == 64 << 20)
        }
    }

    @Test func aSlowUpstreamHoldsTheClientBackAndLosesNothing() async throws {
        let received = Counter()
        let go = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            while go.value == 0 { usleep(1000) }
            while received.value < 64 << 20 { received.add(try connection.readNow(1 << 20).count) }
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            let sent = Counter()
            async let writing: Void = {
                try await client.write(Harness.request("POST", "/", [Self.key, "Content-Length: \(64 << 20)"]))
                for _ in 0..<64 {
                    try await client.write([UInt8](repeating: 1, count: 1 << 20))
                    sent.add(1)
                }
            }()
            var last = -1
            while sent.value != last {
                last = sent.value
                try await Task.sleep(for: .milliseconds(300))
            }
            // The kernel alone may hold some 20 MiB on the four sides.
            #expect(last < 64)
            go.add(1)
            try await writing
            do {
                let value = try await client.readAnswer().body
                #expect(value == "ok")
            }
            #expect(received.value == 64 << 20)
        }
    }
}
