import Core
import Policy
import Testing

@testable import Proxy

/// Requests for Gatehouse itself: whole, bounded, and without credentials.
@Suite(.serialized)
struct LocalRequestTests {
    private static let key = "X-API-Key: gate_anna"

    struct Echo: LocalResponder {
        func respond(to request: LocalRequest) async -> LocalResponse? {
            guard request.path != "/.auth/nothing" else { return nil }
            let text =
                "\(request.method) \(request.path) \(request.query ?? "-") \(request.host) "
                + "\(request.identity?.user ?? "-") \(request.body.count) "
                + request.headers.map { $0.name.lowercased() }.sorted().joined(separator: ",")
            return LocalResponse(
                status: 200,
                headers: [("Content-Type", "text/plain"), ("X-Bad", "a\r\nb"), ("Content-Length", "9999")],
                body: Array(text.utf8))
        }
    }

    @Test func lesson60_requestsForOurselvesComeWholeAndWithoutCredentials() async throws {
        try await withHarness(try await Harness(responders: [Echo()])) { harness in
            let client = try harness.connect()
            try await client.write(
                Harness.request(
                    "POST", "/.auth/api/x?q", [Self.key, "Cookie: a=b", "Transfer-Encoding: chunked", "X-A: 1"],
                    host: "Auth.Example.com:443")
                    + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + Harness.request("GET", "/.auth/nothing"))
            let answer = try await client.readAnswer()
            #expect(answer.status == 200)
            #expect(answer.body == "POST /.auth/api/x q auth.example.com anna 5 host,transfer-encoding,x-a")
            #expect(harness.records.used == ["anna"] && harness.records.allowed.isEmpty)
            #expect(answer.all("X-Bad").isEmpty)
            #expect(answer.all("Content-Length").count == 1)
            do {
                let value = try await client.readAnswer().status
                #expect(value == 404)
            }
        }
    }

    @Test func lesson59_requestsForOurselvesAreBounded() async throws {
        try await withHarness(try await Harness(responders: [Echo()])) { harness in
            let announced = try await harness.send(Harness.request("POST", "/.auth/x", ["Content-Length: 65537"]))
            #expect(announced.status == 413)
            let client = try harness.connect()
            try await client.write(
                Harness.request("POST", "/.auth/x", ["Transfer-Encoding: chunked", "Expect: 100-continue"]))
            do {
                let value = try await client.readAnswer().status
                #expect(value == 100)
            }
            try await client.write("ffff\r\n" + String(repeating: "x", count: 65_535) + "\r\n2\r\nxx\r\n0\r\n\r\n")
            do {
                let value = try await client.readAnswer().status
                #expect(value == 413)
            }
            let exact = try await harness.send(
                Harness.request("POST", "/.auth/x", ["Content-Length: 65536"]) + String(repeating: "x", count: 65_536))
            #expect(exact.status == 200)
        }
    }

    private struct Saying: LocalResponder {
        func respond(to request: LocalRequest) async -> LocalResponse? {
            LocalResponse(status: Int(request.path.suffix(3)) ?? 500)
        }
    }

    @Test(arguments: [
        (200, "OK"), (201, "Created"), (202, "Accepted"), (204, "No Content"), (409, "Conflict"),
        (413, "Content Too Large"), (415, "Unsupported Media Type"), (418, ""),
    ])
    func everyStatusHasItsPhraseOrNone(_ status: Int, _ phrase: String) async throws {
        try await withHarness(try await Harness(responders: [Saying()])) { harness in
            let answer = try await harness.get("/.auth/\(status)")
            #expect(answer.requestLine == "HTTP/1.1 \(status) \(phrase)")
        }
    }

    private struct Refusing: LocalResponder {
        func respond(to request: LocalRequest) async -> LocalResponse? {
            let isLoop = request.path == "/.auth/loop"
            return LocalResponse(
                status: isLoop ? 403 : 429,
                refusal: LocalRefusal(isLoop ? .loginLoop : .rateLimited, .deny, isAudited: !isLoop))
        }
    }

    /// Our own pages' refusals are told in the same places as those on an app's requests, one each.
    @Test func refusalsOfOurOwnAreTold() async throws {
        try await withHarness(try await Harness(responders: [Refusing()])) { harness in
            let client = try harness.connect()
            try await client.write(
                Harness.request("GET", "/.auth/loop", [Self.key]) + Harness.request("POST", "/.auth/api/x")
                    + Harness.request("GET", "/.auth/loop"))
            for reason in ["login_loop", "rate_limited", "login_loop"] {
                let answer = try await client.readAnswer()
                #expect(answer.all("Gatehouse-Reason") == [reason])
            }
            let denials = harness.records.denials
            #expect(denials.map(\.reason) == [.loginLoop, .rateLimited, .loginLoop])
            #expect(denials.map(\.isAudited) == [false, true, false])
            #expect(denials.map(\.user) == ["anna", nil, nil])
            #expect(denials.map { $0.asked?.path } == ["/.auth/loop", "/.auth/api/x", "/.auth/loop"])
            #expect(denials.allSatisfy { $0.asked?.shape == "portal" && $0.asked?.verdict == "deny" })
        }
    }

    private struct Waiting: LocalResponder {
        let entered: Counter
        let gate: Counter

        func lane(of request: LocalRequest) -> LocalLane { request.path == "/.auth/slow" ? .provider : .prompt }

        func respond(to request: LocalRequest) async -> LocalResponse? {
            guard lane(of: request) == .provider else { return LocalResponse(status: 200) }
            entered.add(1)
            while gate.value == 0 { try? await Task.sleep(for: .milliseconds(2)) }
            return LocalResponse(status: 200)
        }
    }

    /// Whoever is too many in one is told to come back; everybody else is answered.
    @Test func aFullLaneTakesNothingFromAnother() async throws {
        let responder = Waiting(entered: Counter(), gate: Counter())
        let places = SharedState.places(in: .provider, isKnown: false)
        try await withHarness(try await Harness(responders: [responder])) { harness in
            var clients: [RawClient] = []
            for _ in 0..<places {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/.auth/slow"))
                clients.append(client)
            }
            while responder.entered.value < places { try await Task.sleep(for: .milliseconds(1)) }
            let answer = try await harness.get("/.auth/slow")
            #expect(answer.status == 429)
            #expect(answer["Retry-After"] == "1" && answer["Gatehouse-Reason"] == "rate_limited")
            let other = try await harness.get("/.auth/x")
            #expect(other.status == 200)
            #expect(harness.records.denials.map(\.reason) == [.rateLimited])
            responder.gate.add(1)
            for client in clients {
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == 200)
                }
            }
            do {
                let value = try await harness.get("/.auth/slow").status
                #expect(value == 200)
            }
        }
    }

    @Test(arguments: LocalLane.allCases)
    func strangersLeaveAQuarterToWhoIsKnown(_ lane: LocalLane) {
        let shared = SharedState()
        let (strangers, all) = (
            SharedState.places(in: lane, isKnown: false), SharedState.places(in: lane, isKnown: true)
        )
        #expect(all == strangers + strangers / 4)
        for _ in 0..<strangers { #expect(shared.takeLocalRequest(lane, isKnown: false)) }
        #expect(!shared.takeLocalRequest(lane, isKnown: false))
        for _ in strangers..<all { #expect(shared.takeLocalRequest(lane, isKnown: true)) }
        #expect(!shared.takeLocalRequest(lane, isKnown: true))
        for other in LocalLane.allCases where other != lane {
            #expect(shared.takeLocalRequest(other, isKnown: false))
        }
        shared.returnLocalRequest(lane)
        #expect(shared.takeLocalRequest(lane, isKnown: true))
    }
}
