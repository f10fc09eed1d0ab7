import Core
import Policy
import Testing

@testable import Proxy

/// Requests through a running server to a running origin.
@Suite(.serialized)
struct InlineTests {
    @Test func aKeyOpensTheAppAndTellsItWhoItIs() async throws {
        try await withHarness(try await Harness()) { harness in
            let answer = try await harness.get("/a/b?c=%20d", ["X-API-Key: gate_anna", "Accept: */*"])
            #expect(answer.status == 200)
            #expect(answer.body == "ok")
            let seen = harness.origin.requests[0]
            #expect(seen.requestLine == "GET /a/b?c=%20d HTTP/1.1")
            #expect(seen.all("Host") == ["wiki.example.com"])
            #expect(seen.all("Remote-User") == ["anna"])
            #expect(seen.all("Remote-Email") == ["anna@example.com"])
            #expect(seen.all("Remote-Name") == ["Anna"])
            #expect(seen.all("Remote-Groups") == ["staff"])
            #expect(seen.all("Gatehouse-Assertion") == ["signed.anna.wiki"])
            #expect(seen.all("X-API-Key").isEmpty)
            #expect(seen.all("Accept") == ["*/*"])
            #expect(seen.all("X-Forwarded-For") == ["127.0.0.1"])
            #expect(seen.all("X-Forwarded-Proto") == ["https"])
            #expect(seen.all("X-Forwarded-Host") == ["wiki.example.com"])
            #expect(seen.all("Via") == ["1.1 gatehouse"])
            #expect(seen["X-Request-Id"]?.utf8.count == 32)
            #expect(seen["traceparent"]?.utf8.count == 55)
            #expect(harness.records.allowed == ["anna"])
        }
    }

    @Test func anonymousRequestsHaveEveryIdentityHeaderEmpty() async throws {
        try await withHarness(try await Harness()) { harness in
            do {
                let value = try await harness.get("/public/x").status
                #expect(value == 200)
            }
            let seen = harness.origin.requests[0]
            for name in ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"] {
                #expect(seen.all(name) == [""])
            }
            // A bad credential means anonymous here, and does not reach the app either.
            do {
                let value = try await harness.get("/public/x", ["X-API-Key: gate_revoked"]).status
                #expect(value == 200)
            }
            #expect(harness.origin.requests[1].all("X-API-Key").isEmpty)
            #expect(harness.origin.requests[1].all("Remote-User") == [""])
        }
    }

    @Test func connectionsAreKeptOnBothSides() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            for number in 0..<5 {
                try await client.write(Harness.request("GET", "/\(number)", ["X-API-Key: gate_anna"]))
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == 200)
                }
            }
            #expect(harness.origin.connections == 1)
            #expect(harness.origin.requests.map(\.requestLine).last == "GET /4 HTTP/1.1")
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            while let origin = box.origin {
                let request = try origin.readRequest(connection)
                let path = request.requestLine.split(separator: " ")[1]
                connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)")
            }
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            var text = ""
            for number in 0..<20 {
                // Refusals in between wait for their turn too.
                let lines = number % 5 == 4 ? [] : ["X-API-Key: gate_anna"]
                text += Harness.request("GET", "/number/\(number)", lines)
            }
            try await client.write(text)
            for number in 0..<20 {
                let answer = try await client.readAnswer()
                if number % 5 == 4 {
                    #expect(answer.status == 401)
                } else {
                    #expect(answer.body == "/number/\(number)")
                }
            }
        }
    }

    @Test func headsMayComeByteByByte() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            for byte in Harness.request("GET", "/slow", ["X-API-Key: gate_anna"]).utf8 {
                try await client.write([byte])
            }
            do {
                let value = try await client.readAnswer().status
                #expect(value == 200)
            }
        }
    }

    @Test func olderClientsAreServed() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write("GET /x HTTP/1.0\r\nHost: wiki.example.com\r\nX-API-Key: gate_anna\r\n\r\n")
            let all = try await client.readToEnd()
            #expect(all.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(all.contains("Connection: close\r\n"))
            let keeping = try harness.connect()
            let request =
                "GET /x HTTP/1.0\r\nHost: wiki.example.com\r\nConnection: keep-alive\r\nX-API-Key: gate_anna\r\n\r\n"
            for _ in 0..<2 {
                try await keeping.write(request)
                let answer = try await keeping.readAnswer()
                #expect(answer.status == 200)
                #expect(answer["Connection"] == "keep-alive")
            }
            let none = try harness.connect()
            try await none.write("GET /x HTTP/1.0\r\n\r\n")
            let refused = try await none.readToEnd()
            #expect(refused.contains("421"))
        }
    }

    @Test func hostAndPrefixAreRewrittenAsTheRouteSays() async throws {
        let origin = Origin.answering()
        let harness = try await Harness(origin: origin) {
            $0.upstreams[0].host = .upstream
            $0.routes[0].stripPrefix = "/app/"
        }
        try await withHarness(harness) { harness in
            for path in ["/app/x/y", "/app", "/app/", "/%61pp/x/%79", "/%61p%70", "/app?x=/y"] {
                do {
                    let value = try await harness.get(path, ["X-API-Key: gate_anna"]).status
                    #expect(value == 200)
                }
            }
            #expect(
                origin.requests.map(\.requestLine) == [
                    "GET /x/y HTTP/1.1", "GET / HTTP/1.1", "GET / HTTP/1.1", "GET /x/%79 HTTP/1.1", "GET / HTTP/1.1",
                    "GET /?x=/y HTTP/1.1",
                ])
            #expect(origin.requests[0].all("Host") == ["127.0.0.1:\(origin.port)"])
            #expect(origin.requests[0].all("X-Forwarded-Host") == ["wiki.example.com"])
            for path in ["/%61ppx", "/%61p", "/APP/x", "/%41pp/x", "/app;a/x", "/app%3ba/x"] {
                let answer = try await harness.get(path, ["X-API-Key: gate_anna"])
                #expect(answer.status == 400)
            }
            #expect(origin.requests.count == 6)
        }
    }

    @Test func absoluteFormIsForwardedInOriginForm() async throws {
        try await withHarness(try await Harness()) { harness in
            let text =
                "GET http://wiki.example.com/x?y HTTP/1.1\r\nHost: wiki.example.com\r\nX-API-Key: gate_anna\r\n\r\n"
            do {
                let value = try await harness.send(text).status
                #expect(value == 200)
            }
            #expect(harness.origin.requests[0].requestLine == "GET /x?y HTTP/1.1")
        }
    }

    @Test func requestIDAndTraceAreKeptWhenTheyHaveTheirShape() async throws {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        try await withHarness(try await Harness()) { harness in
            _ = try await harness.get(
                "/", ["X-API-Key: gate_anna", "X-Request-Id: abc.DEF-1_2", "traceparent: \(trace)"])
            #expect(harness.origin.requests[0].all("X-Request-Id") == ["abc.DEF-1_2"])
            #expect(harness.origin.requests[0].all("traceparent") == [trace])
            _ = try await harness.get("/", ["X-API-Key: gate_anna", "X-Request-Id: a b", "traceparent: 00-zz"])
            #expect(harness.origin.requests[1].all("X-Request-Id").count == 1)
            #expect(harness.origin.requests[1].all("X-Request-Id") != ["a b"])
            #expect(harness.origin.requests[1].all("traceparent").count == 1)
            #expect(harness.origin.requests[1].all("traceparent") != ["00-zz"])
            let refused = try await harness.get("/", ["X-Request-Id: mine"])
            #expect(refused.all("X-Request-Id") == ["mine"])
        }
    }

    @Test func loopsEnd() async throws {
        try await withHarness(try await Harness()) { harness in
            let key = "X-API-Key: gate_anna"
            do {
                let value = try await harness.get("/", [key, "Via: 1.1 gatehouse"]).status
                #expect(value == 200)
            }
            #expect(harness.origin.requests[0].all("Via") == ["1.1 gatehouse", "1.1 gatehouse"])
            do {
                let value = try await harness.get("/", [key, "Via: 1.1 gatehouse, 1.0 other, 1.1 Gatehouse"]).status
                #expect(value == 508)
            }
            do {
                let value = try await harness.get("/", [key, "Via: 1.1 a (gatehouse)", "Via: 1.1 b"]).status
                #expect(value == 200)
            }
        }
    }

    @Test func aPendingCredentialIsReadAgainAndNoLongerThanItMay() async throws {
        let line = "Authorization: Bearer \(Sample.foreignToken)"
        let later: [String: @Sendable (Int) -> CredentialReading] = [
            Sample.foreignToken: { attempt in
                attempt == 1 ? .pending(PendingReading { wake in wake() }) : .identity(Sample.foreign)
            }
        ]
        try await withHarness(try await Harness(reader: later)) { harness in
            do {
                let value = try await harness.send(
                    Harness.request("GET", "/", [line]) + Harness.request("GET", "/second", [line])
                ).status
                #expect(value == 200)
            }
            #expect(harness.origin.requests[0].all("Remote-User") == ["corp:carl"])
        }
        let never: [String: @Sendable (Int) -> CredentialReading] = [
            Sample.foreignToken: { _ in .pending(PendingReading { _ in }) }
        ]
        try await withHarness(try await Harness(reader: never)) { harness in
            let answer = try await harness.get("/", [line])
            #expect(answer.status == 401)
            #expect(answer["Gatehouse-Reason"] == "credential_unknown")
            #expect(harness.origin.requests.isEmpty)
        }
    }
}

import Synchronization

/// An origin that its own script needs.
final class OriginBox: Sendable {
    private let content = Mutex<Origin?>(nil)

    var origin: Origin? {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }
}
