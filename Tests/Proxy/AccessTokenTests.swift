import Core
import Policy
import Synchronization
import Testing

@testable import Proxy

/// The tokens of providers as a test wants them; shared by the loops.
final class StubTokens: Sendable {
    private struct State {
        var tokens: [String: String] = [:]
        var waiting: [@Sendable () -> Void]?
        var asked: [(user: String, providers: [TokenProvider], mayWait: Bool)] = []
    }

    private let state: Mutex<State>

    init(_ tokens: [String: String]) {
        state = Mutex(State(tokens: tokens))
    }

    var asked: [(user: String, providers: [TokenProvider], mayWait: Bool)] { state.withLock { $0.asked } }
    var waiting: Int { state.withLock { $0.waiting?.count ?? 0 } }

    /// From now on a refresh is under way.
    func hold() { state.withLock { $0.waiting = [] } }

    func release(_ token: String?, of user: String) {
        let waiting = state.withLock { state in
            state.tokens[user] = token
            defer { state.waiting = nil }
            return state.waiting ?? []
        }
        for wake in waiting { wake() }
    }

    func token(of identity: Identity, from providers: [TokenProvider], mayWait: Bool) -> ProviderTokenReading {
        state.withLock { state in
            state.asked.append((identity.user, providers, mayWait))
            if mayWait, state.waiting != nil {
                return .pending(PendingReading { wake in self.wait(wake) })
            }
            return state.tokens[identity.user].map { .token(Array($0.utf8)) } ?? .none
        }
    }

    private func wait(_ wake: @escaping @Sendable () -> Void) {
        let waits = state.withLock { state in
            guard state.waiting != nil else { return false }
            state.waiting?.append(wake)
            return true
        }
        if !waits { wake() }
    }
}

/// One a loop.
final class LoopTokens: ProviderTokenReader {
    private let tokens: StubTokens

    init(_ tokens: StubTokens) { self.tokens = tokens }

    func token(
        of identity: Identity, from providers: [TokenProvider], mayWait: Bool, at now: Timestamp
    ) -> ProviderTokenReading {
        tokens.token(of: identity, from: providers, mayWait: mayWait)
    }
}

/// `forward_access_token`: to the app of such a route and to no other, and never a client's own.
@Suite(.serialized)
struct AccessTokenTests {
    static let corp = TokenProvider(id: "corp", issuer: "https://idp.example.com")
    static let name = "X-Forwarded-Access-Token"

    static func routes() -> [RouteDescription] {
        var told = Harness.routes[0]
        told.forwardsAccessToken = true
        var other = Harness.routes[0]
        other.name = "other"
        other.hosts = ["other.example.com"]
        return [told, other]
    }

    private func harness(_ tokens: StubTokens?) async throws -> Harness {
        try await Harness(routes: Self.routes(), tokens: tokens) { configuration in
            configuration.routes[0].tokenProviders = [Self.corp]
            configuration.trustedProxies.networks = [Network("127.0.0.1")].compactMap { $0 }
        }
    }

    private func check(_ host: String, _ path: String, _ lines: [String]) -> String {
        Harness.request(
            "GET", "/.auth/check/traefik",
            lines + [
                "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: \(host)",
                "X-Forwarded-Uri: \(path)", "X-Forwarded-For: 192.0.2.1",
            ], host: "gatehouse")
    }

    private func expect(
        _ status: Int, _ harness: Harness, _ path: String, _ lines: [String], host: String = "wiki.example.com"
    ) async throws {
        let answer = try await harness.get(path, lines, host: host)
        #expect(answer.status == status)
    }

    @Test func theAppOfTheRouteGetsItAndNoOther() async throws {
        let tokens = StubTokens(["anna": "token-of-anna"])
        try await withHarness(try await harness(tokens)) { harness in
            let key = ["X-API-Key: gate_anna"]
            try await expect(200, harness, "/a", key)
            #expect(harness.origin.requests[0].all(Self.name) == ["token-of-anna"])
            #expect(tokens.asked.allSatisfy { $0.user == "anna" && $0.providers == [Self.corp] })
            let asked = tokens.asked.count
            try await expect(200, harness, "/a", key, host: "other.example.com")
            #expect(harness.origin.requests[1].all(Self.name).isEmpty)
            #expect(tokens.asked.count == asked)
            // A refusal asks nobody for a token.
            try await expect(403, harness, "/admin/x", key)
            #expect(tokens.asked.count == asked)
        }
    }

    @Test func aClientsOwnFallsOutInEverySpelling() async throws {
        let known: [(StubTokens?, String)] = [(StubTokens(["anna": "good"]), "good"), (StubTokens([:]), ""), (nil, "")]
        for (tokens, token) in known {
            try await withHarness(try await harness(tokens)) { harness in
                let own = [
                    "X-Forwarded-Access-Token: forged", "x_forwarded_access_token: forged",
                    "X.Forwarded.Access.Token: forged", "Connection: X-Forwarded-Access-Token",
                ]
                for (index, path) in ["/public/a", "/a"].enumerated() {
                    let credential = index == 0 ? [] : ["X-API-Key: gate_anna"]
                    try await expect(200, harness, path, credential + own)
                    let seen = harness.origin.requests[index]
                    #expect(!seen.head.contains("forged"))
                    #expect(seen.all(Self.name) == [index == 0 ? "" : token])
                }
            }
        }
    }

    @Test func aRequestWaitsForARefreshAndIsJudgedAnew() async throws {
        let tokens = StubTokens(["anna": "old"])
        try await withHarness(try await harness(tokens)) { harness in
            tokens.hold()
            let (first, second) = (try harness.connect(), try harness.connect())
            try await first.write(Harness.request("GET", "/a", ["X-API-Key: gate_anna"]))
            try await second.write(check("wiki.example.com", "/b", ["X-API-Key: gate_anna"]))
            while tokens.waiting < 2 { await Task.yield() }
            #expect(harness.origin.requests.isEmpty)
            // Others do not wait with them.
            try await expect(200, harness, "/c", ["X-API-Key: gate_anna"], host: "other.example.com")
            tokens.release("new", of: "anna")
            let got = try await first.readAnswer()
            let answered = try await second.readAnswer()
            #expect(got.status == 200 && answered.all(Self.name) == ["new"])
            #expect(harness.origin.requests.last?.all(Self.name) == ["new"])
            #expect(harness.records.allowed == ["anna", "anna", "anna"])
        }
    }

    @Test func aCheckWaitsForLessLongThanTheProxyThatAsks() async throws {
        let tokens = StubTokens(["anna": "old"])
        try await withHarness(try await harness(tokens)) { harness in
            tokens.hold()
            let inline = try harness.connect()
            try await inline.write(Harness.request("GET", "/a", ["X-API-Key: gate_anna"]))
            while tokens.waiting < 1 { await Task.yield() }
            // Nothing is refreshed, and it is answered all the same.
            let start = ContinuousClock.now
            let answer = try await harness.send(check("wiki.example.com", "/b", ["X-API-Key: gate_anna"]))
            #expect(answer.status == 200 && answer.all(Self.name) == ["old"])
            #expect(ContinuousClock.now - start >= .milliseconds(1500))
            tokens.release("new", of: "anna")
            let late = try await inline.readAnswer()
            #expect(late.status == 200 && harness.origin.requests.last?.all(Self.name) == ["new"])
        }
    }

    @Test func aClientThatLeavesWhileItWaitsHarmsNobody() async throws {
        let tokens = StubTokens(["anna": "old"])
        try await withHarness(try await harness(tokens)) { harness in
            tokens.hold()
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/a", ["X-API-Key: gate_anna"]))
            while tokens.waiting < 1 { await Task.yield() }
            client.hangUp()
            tokens.release("new", of: "anna")
            try await expect(200, harness, "/b", ["X-API-Key: gate_anna"])
            #expect(harness.origin.requests.last?.all(Self.name) == ["new"])
        }
    }

    @Test func aCheckAnswersItToATrustedPeerAndForThatRoute() async throws {
        let tokens = StubTokens(["anna": "token-of-anna"])
        try await withHarness(try await harness(tokens)) { harness in
            let key = ["X-API-Key: gate_anna"]
            let answer = try await harness.send(check("wiki.example.com", "/a", key))
            #expect(answer.status == 200 && answer.all(Self.name) == ["token-of-anna"])
            let open = try await harness.send(check("wiki.example.com", "/public/a", []))
            #expect(open.status == 200 && open.all(Self.name) == [""])
            let other = try await harness.send(check("other.example.com", "/a", key))
            #expect(other.status == 200 && other.all(Self.name).isEmpty)
            let refused = try await harness.send(check("wiki.example.com", "/admin/x", key))
            #expect(refused.status == 403 && refused.all(Self.name).isEmpty)
        }
        let stranger = try await Harness(routes: Self.routes(), tokens: tokens) { configuration in
            configuration.routes[0].tokenProviders = [Self.corp]
        }
        try await withHarness(stranger) { harness in
            let answer = try await harness.send(check("wiki.example.com", "/a", ["X-API-Key: gate_anna"]))
            #expect(answer.status == 404 && answer.all(Self.name).isEmpty)
        }
    }

    @Test func whatIsNoTokenIsNoHeader() {
        func line(_ token: String?) -> String {
            String(decoding: IdentityHeaders.accessTokenLine(token.map { Array($0.utf8) }), as: UTF8.self)
        }
        #expect(line("a.b-c_d~+/=") == "X-Forwarded-Access-Token: a.b-c_d~+/=\r\n")
        for token in [nil, "", "a b", "a\r\nRemote-User: root", "a\u{0}", "ä", "\u{7f}"] {
            #expect(line(token) == "X-Forwarded-Access-Token:\r\n")
        }
        #expect(IdentityHeaders.Layout.problem(withHeaderName: "X_Forwarded-Access-Token") != nil)
    }
}
