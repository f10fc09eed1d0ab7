import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// An answer that came before its request was whole arrives, and the connection ends with it.
@Suite(.serialized)
struct LingeringTests {
    private static let host = "Host: wiki.example.com\r\n"

    private func connections(_ harness: Harness) async throws -> Int {
        let port = try #require(harness.server.monitorAddress?.port)
        let client = try RawClient(port: port)
        try await client.write("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let line = try await client.readToEnd().split(separator: "\n").first { $0.hasPrefix("gatehouse_connections ") }
        return line.flatMap { Int($0.dropFirst("gatehouse_connections ".count).filter(\.isNumber)) } ?? -1
    }

    private func wait(_ what: String, until isTrue: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await !isTrue() {
            try #require(ContinuousClock.now < deadline, "\(what)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A refusal and bytes that are no body in one piece: who is refused is told so.
    @Test(arguments: [
        ("wiki.example.com", "/", 401), ("nowhere.example.com", "/", 421),
        ("wiki.example.com", "/.auth/check/nginx", 404),
    ])
    func aBadChunkTakesNoRefusalAway(_ host: String, _ path: String, _ status: Int) async throws {
        try await withHarness(try await Harness()) { harness in
            let lines = ["Transfer-Encoding: chunked"]
            let client = try harness.connect()
            try await client.write(Harness.request("POST", path, lines, host: host) + "zz\r\n")
            #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 \(status) "))
            // The same with a body that turns bad later.
            let later = try harness.connect()
            try await later.write(Harness.request("POST", path, lines, host: host) + "1\r\na\r\n")
            #expect(try await later.readAnswer().status == status)
            try await later.write("zz\r\n")
            #expect(try await later.readToEnd().isEmpty)
        }
    }

    /// Nothing is waited for: neither for the rest of the request nor for the client's end.
    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\(host)X: a\u{1}\r\n\r\n", 400), ("TRACE / HTTP/1.1\r\n\(host)\r\n", 405),
        ("GET / HTTP/2.0\r\n\(host)\r\n", 505), ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n", 414),
        ("GET / HTTP/1.1\r\n\(host)Expect: x\r\n\r\n", 417),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: 9\r\n\r\n", 401),
        ("GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "a", count: 40_000))", 431),
        ("POST /.auth/x HTTP/1.1\r\n\(host)Content-Length: 99999\r\n\r\n", 413),
    ])
    func theEndIsSeenAtOnce(_ text: String, _ status: Int) async throws {
        let harness = try await Harness { $0.limits.lingering = .seconds(60) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            let begin = ContinuousClock.now
            try await client.write(text)
            #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 \(status) "))
            #expect(ContinuousClock.now - begin < .seconds(4))
            client.finishWriting()
            try await wait("its end") { try await connections(harness) == 0 }
        }
    }

    /// Who sends more than is read still finds the answer.
    @Test func anAnswerOutlivesWhatNobodyReads() async throws {
        try await withHarness(try await Harness()) { harness in
            for _ in 0..<20 {
                let client = try harness.connect()
                try await client.write(
                    Harness.request("POST", "/", ["Content-Length: 150000"]) + String(repeating: "x", count: 150_000))
                let all = try await client.readToEnd()
                #expect(all.hasPrefix("HTTP/1.1 401 ") && all.hasSuffix("}\n"))
            }
        }
    }

    /// A flood of them holds no more than its bound, and each is gone after its moment.
    @Test func theyAreBoundedInNumberAndTime() async throws {
        let harness = try await Harness { $0.limits.lingering = .seconds(60) }
        try await withHarness(harness) { harness in
            var clients: [RawClient] = []
            for _ in 0..<FrontHandler.mostLingering + 40 {
                let client = try harness.connect()
                try await client.write("GET / HTTP/1.1\r\n\(Self.host)X: a\u{1}\r\n\r\n")
                #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 400 "))
                clients.append(client)
            }
            try await wait("those beyond the bound") { try await connections(harness) == FrontHandler.mostLingering }
            clients = []
            try await wait("the others") { try await connections(harness) == 0 }
            // The places are free again.
            let again = try harness.connect()
            try await again.write("GET / HTTP/1.1\r\n\(Self.host)X: a\u{1}\r\n\r\n")
            #expect(try await again.readToEnd().hasPrefix("HTTP/1.1 400 "))
            #expect(try await connections(harness) == 1)
        }
        let short = try await Harness { $0.limits.lingering = .milliseconds(50) }
        try await withHarness(short) { harness in
            let client = try harness.connect()
            try await client.write("GET / HTTP/1.1\r\n\(Self.host)X: a\u{1}\r\n\r\n")
            try await wait("its moment") { try await connections(harness) == 0 }
            withExtendedLifetime(client) {}
        }
    }
}
