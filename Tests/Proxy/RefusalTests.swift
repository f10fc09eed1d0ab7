import Core
import Policy
import Testing

@testable import Proxy

/// What does not get through, byte by byte on a raw socket.
@Suite(.serialized)
struct RefusalTests {
    private static let key = "X-API-Key: gate_anna"
    private static let host = "Host: wiki.example.com\r\n\(key)\r\n"

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: wiki.example.com\n\n", "GET / HTTP/1.1\r\nHost: wiki.example.com\n\r\n",
        "GET /\rx HTTP/1.1\r\n\(host)\r\n", "GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\n\(host)X : a\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X(: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\(host)X: a\u{1}\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: wiki.example.com\r\n\(host)\r\n", "GET / HTTP/1.1\r\nHost: wiki.examplé.com\r\n\r\n",
        "GET http://other.example.com/ HTTP/1.1\r\n\(host)\r\n",
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1, 1\r\n\r\n",
        "POST / HTTP/1.1\r\n\(host)Content-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\n\(host)\r\n",
        "GET /ä HTTP/1.1\r\n\(host)\r\n", "GET /public/../admin HTTP/1.1\r\n\(host)\r\n",
        "GET /public/%2e%2E/admin HTTP/1.1\r\n\(host)\r\n", "GET /public/..;/admin HTTP/1.1\r\n\(host)\r\n",
        "GET /a%2fb HTTP/1.1\r\n\(host)\r\n", "GET /a%5cb HTTP/1.1\r\n\(host)\r\n", "GET /a%00 HTTP/1.1\r\n\(host)\r\n",
        "GET /a\\b HTTP/1.1\r\n\(host)\r\n", "GET //admin HTTP/1.1\r\n\(host)\r\n", "GET /a#b HTTP/1.1\r\n\(host)\r\n",
        "GET /a%zz HTTP/1.1\r\n\(host)\r\n", "GET /a%252fb HTTP/1.1\r\n\(host)\r\n", "GET * HTTP/1.1\r\n\(host)\r\n",
        "GARBAGE\r\n\r\n", "GET  / HTTP/1.1\r\n\(host)\r\n",
    ])
    func lesson37_whatIsAmbiguousIs400AndCloses(_ text: String) async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write(text)
            let all = try await client.readToEnd()
            #expect(all.hasPrefix("HTTP/1.1 400 "))
            #expect(all.contains("Connection: close\r\n"))
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test(arguments: [
        ("GET / HTTP/2.0\r\n\(host)\r\n", 505), ("CONNECT / HTTP/1.1\r\n\(host)\r\n", 405),
        ("TRACE / HTTP/1.1\r\n\(host)\r\n", 405),
        ("PUT / HTTP/1.1\r\n\(host)Expect: x\r\nContent-Length: 1\r\n\r\nx", 417),
        ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\(host)\r\n", 414),
        ("GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "a", count: 40000))\r\n\r\n", 431),
    ])
    func otherRefusalsHaveTheirOwnStatus(_ text: String, _ status: Int) async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write(text)
            client.finishWriting()
            let all = try await client.readToEnd()
            #expect(all.hasPrefix("HTTP/1.1 \(status) "))
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test func aProblemDocumentSaysWhatIsMissing() async throws {
        try await withHarness(try await Harness()) { harness in
            let answer = try await harness.get("/x", ["X-Request-Id: r-1"])
            #expect(answer.status == 401)
            #expect(answer.all("Content-Type") == ["application/problem+json"])
            #expect(answer.all("Cache-Control") == ["no-store"])
            #expect(answer.all("WWW-Authenticate") == ["Bearer realm=\"gatehouse\""])
            #expect(answer.all("Gatehouse-Reason") == ["sign_in_required"])
            #expect(answer.all("X-Request-Id") == ["r-1"])
            #expect(answer.all("Connection").isEmpty)
            #expect(
                answer.body
                    == "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"This needs a "
                    + "credential.\",\"code\":\"sign_in_required\",\"request_id\":\"r-1\",\"login_url\":"
                    + "\"https://auth.example.com/.auth/login\"}\n")
            #expect(answer.body.utf8.count < 2048)
        }
    }

    @Test func everyRefusalHasItsStatusAndReason() async throws {
        try await withHarness(try await Harness()) { harness in
            let cases: [(String, [String], String, Int, String, String?)] = [
                (
                    "/", ["X-API-Key: gate_nobody"], "wiki.example.com", 401, "credential_unknown",
                    "Bearer realm=\"gatehouse\", error=\"invalid_token\""
                ),
                (
                    "/", ["X-API-Key: gate_revoked"], "wiki.example.com", 401, "credential_revoked",
                    "Bearer realm=\"gatehouse\", error=\"invalid_token\""
                ),
                ("/", ["X-API-Key: gate_store"], "wiki.example.com", 503, "store_unavailable", nil),
                ("/", ["X-API-Key: gate_bert"], "wiki.example.com", 403, "group_missing", nil),
                ("/admin/x", [Self.key], "wiki.example.com", 403, "group_missing", nil),
                ("/", [Self.key], "other.example.com", 421, "no_route", nil),
                ("/", [Self.key, "Gatehouse-Key: gate_bert"], "wiki.example.com", 400, "credentials_disagree", nil),
            ]
            for (path, lines, host, status, reason, authenticate) in cases {
                let answer = try await harness.get(path, lines, host: host)
                #expect(answer.status == status)
                #expect(answer["Gatehouse-Reason"] == reason)
                #expect(answer["WWW-Authenticate"] == authenticate)
            }
            #expect(harness.origin.requests.isEmpty)
            #expect(harness.records.denials.map { $0.reason?.rawValue ?? "" } == cases.map { $0.4 })
            #expect(harness.records.denials[1].user == "anna")
            #expect(harness.records.denials[3].subject == "s-bert")
            #expect(harness.records.denials[0].address == IPAddress("127.0.0.1"))
        }
    }

    @Test func basicIsAskedForOnlyWhereItHelps() async throws {
        var routes = Harness.routes
        routes[0].challenge = .basic
        try await withHarness(try await Harness(routes: routes)) { harness in
            let plain = try await harness.get("/")
            #expect(plain["WWW-Authenticate"] == "Basic realm=\"gatehouse\", charset=\"UTF-8\"")
            for line in ["Sec-Fetch-Mode: cors", "X-Requested-With: XMLHttpRequest"] {
                let answer = try await harness.get("/", [line])
                #expect(answer["WWW-Authenticate"] == "Bearer realm=\"gatehouse\"")
            }
        }
    }

    @Test func navigationsWithoutACredentialAreCountedAndNotKept() async throws {
        try await withHarness(try await Harness()) { harness in
            _ = try await harness.get("/", ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])
            _ = try await harness.get("/", ["Accept: text/html,*/*"])
            #expect(harness.records.denials.isEmpty)
            _ = try await harness.get("/", ["Sec-Fetch-Mode: cors", "Accept: text/html"])
            #expect(harness.records.denials.count == 1)
        }
    }

    @Test func aRefusedBodyIsDrainedAndTheConnectionClosed() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/", ["Content-Length: 60000"]))
            let answer = try await client.readAnswer()
            #expect(answer.status == 401)
            #expect(answer["Connection"] == "close")
            try await client.write(String(repeating: "x", count: 60_000))
            do {
                let value = try await client.readToEnd().isEmpty
                #expect(value)
            }
            // A body that is there already is no reason to close.
            let small = try harness.connect()
            try await small.write(
                Harness.request("POST", "/", ["Content-Length: 3"]) + "abc" + Harness.request("GET", "/public/x"))
            do {
                let value = try await small.readAnswer().status
                #expect(value == 401)
            }
            do {
                let value = try await small.readAnswer().status
                #expect(value == 200)
            }
        }
    }

    @Test func optionsAboutTheServerIsOurs() async throws {
        try await withHarness(try await Harness()) { harness in
            let answer = try await harness.send("OPTIONS * HTTP/1.1\r\nHost: wiki.example.com\r\n\r\n")
            #expect(answer.status == 204)
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test func aRouteWithoutAnUpstreamIsForChecksOnly() async throws {
        let harness = try await Harness { $0.routes[0].upstream = nil }
        try await withHarness(harness) { harness in
            let answer = try await harness.get("/", [Self.key])
            #expect(answer.status == 404)
            #expect(answer["Gatehouse-Reason"] == "no_upstream")
        }
    }

    @Test func whatCannotBeSignedIsNotForwarded() async throws {
        try await withHarness(try await Harness(signerFails: true)) { harness in
            let answer = try await harness.get("/", [Self.key])
            #expect(answer.status == 503)
            #expect(answer["Gatehouse-Reason"] == "store_unavailable")
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test func keptPathsAreForwardedAsTheyCame() async throws {
        var routes = Harness.routes
        routes[0].keepInPath = [.encodedSlash, .emptySegment]
        try await withHarness(try await Harness(routes: routes)) { harness in
            do {
                let value = try await harness.get("/a%2fb//c", [Self.key]).status
                #expect(value == 200)
            }
            #expect(harness.origin.requests[0].requestLine == "GET /a%2fb//c HTTP/1.1")
            do {
                let value = try await harness.get("/public%2f..%2fadmin", [Self.key]).status
                #expect(value != 200)
            }
            do {
                let value = try await harness.get("/a%5cb", [Self.key]).status
                #expect(value == 400)
            }
            #expect(harness.log.contains("keep_in_path=encoded_backslash"))
        }
    }

    @Test func lesson03_noUserAgentOpensAnything() async throws {
        try await withHarness(try await Harness()) { harness in
            for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", ""] {
                do {
                    let value = try await harness.get("/", ["User-Agent: \(agent)"]).status
                    #expect(value == 401)
                }
            }
        }
    }

    @Test func lesson04_emptyHeadersAreNoCredentials() async throws {
        try await withHarness(try await Harness()) { harness in
            for line in [
                "X-API-Key:", "Gatehouse-Key:", "Authorization:", "Authorization: Bearer ", "Authorization: Basic ",
                "Cookie:", "X-API-Key: gate_", "Authorization: Basic Og==",
            ] {
                do {
                    let value = try await harness.get("/", [line]).status
                    #expect(value == 401)
                }
            }
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test func lesson21_whatCannotBeDecodedIsNobody() async throws {
        try await withHarness(try await Harness()) { harness in
            var random = SeededGenerator(seed: 21)
            for _ in 0..<200 {
                let noise = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                    Character(UnicodeScalar(UInt8.random(in: 0x21...0x7e, using: &random)))
                }
                let places = [
                    "Cookie: gatehouse=", "Cookie: ", "Authorization: Bearer ", "Authorization: Basic ",
                    "Authorization: ", "X-API-Key: gate_",
                ]
                let line = places.randomElement(using: &random)! + String(noise)
                do {
                    let value = try await harness.get("/", [line]).status
                    #expect(value == 401)
                }
            }
            #expect(harness.origin.requests.isEmpty)
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
