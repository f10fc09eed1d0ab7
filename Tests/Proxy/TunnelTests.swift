import Core
import Policy
import Testing

@testable import Proxy

/// Tunnels through a whole server, and what ends them.
@Suite(.serialized)
struct TunnelTests {
    private static let key = "X-API-Key: gate_anna"
    private static let upgrade = ["Connection: Upgrade", "Upgrade: websocket"]
    private static let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n"

    /// Switches, and then says back what it hears.
    private static func echo() -> Origin {
        Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow(switched)
            while case let some = try connection.readNow(), !some.isEmpty { connection.writeNow(some) }
        }
    }

    private func open(_ harness: Harness, _ path: String = "/", _ lines: [String] = [key]) async throws -> RawClient {
        let client = try harness.connect()
        try await client.write(Harness.request("GET", path, lines + Self.upgrade))
        let head = try await client.read(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        return client
    }

    private func expectEcho(_ client: RawClient) async throws {
        try await client.write("ping!")
        #expect(try await client.read(until: "ping!") == "ping!")
    }

    private func isClosed(_ client: RawClient) async throws -> Bool {
        try await client.readToEnd().isEmpty
    }

    @Test func bytesGoBothWays() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness)
            try await expectEcho(client)
            try await expectEcho(client)
            client.finishWriting()
            #expect(try await isClosed(client))
            #expect(harness.records.allowed == ["anna"])
        }
    }

    @Test func theAppSeesOneTokenAndNothingElseOfTheHop() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            let request = try Origin.readRequest(connection)
            box.origin?.remember(request)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        box.origin = origin
        try await withHarness(try await Harness(origin: origin)) { harness in
            _ = try await harness.get(
                "/", [Self.key, "Connection: X-Hop, Upgrade, Remote-User", "X-Hop: 1", "Upgrade: websocket"])
            let request = try #require(origin.requests.first)
            #expect(request.all("Connection") == ["Upgrade"])
            #expect(request.all("Upgrade") == ["websocket"])
            #expect(request["X-Hop"] == nil)
            #expect(request["Remote-User"] == "anna")
        }
    }

    @Test(arguments: ["h2c", "H2", "tls/1.2", "HTTP/2.0", "websocket, h2c", "a b"])
    func otherTokensAreNotForwardedAndA101ForThemIsNoAnswer(token: String) async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let answer = try await harness.get("/", [Self.key, "Connection: Upgrade", "Upgrade: \(token)"])
            #expect(answer.status == 502)
        }
    }

    @Test func aWithdrawnCredentialClosesItsTunnelAndNoOther() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let anna = try await open(harness, "/public/x")
            let bert = try await open(harness, "/public/x", ["X-API-Key: gate_bert"])
            let nobody = try await open(harness, "/public/x", [])
            harness.withdrawn.withdraw("anna", .userDisabled)
            #expect(try await isClosed(anna))
            try await expectEcho(bert)
            try await expectEcho(nobody)
            #expect(harness.log.contains("reason=user_disabled"))
        }
    }

    @Test func anIdentityThatNobodyCanJudgeAgainDoesNotLast() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness)
            harness.withdrawn.withdraw("anna", .storeUnavailable)
            #expect(try await isClosed(client))
        }
        let chain = CredentialReaderChain([])
        guard case .notMine = chain.recheck(Sample.anna, at: FixedClock().now()) else {
            Issue.record("a chain without readers knows nobody")
            return
        }
    }

    @Test func anAnswerThatIsAwaitedBecomesARefusalAndOneUnderWayIsCut() async throws {
        let origin = Origin { connection, number in
            _ = try Origin.readRequest(connection)
            if number == 0 { connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab") }
            _ = try connection.readNow()
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let streaming = try harness.connect()
            try await streaming.write(Harness.request("GET", "/", [Self.key]))
            _ = try await streaming.read(until: "\r\n\r\nab")
            let awaited = try harness.connect()
            try await awaited.write(Harness.request("GET", "/", [Self.key]))
            harness.withdrawn.withdraw("anna", .credentialExpired)
            let answer = try await awaited.readAnswer()
            #expect(answer.status == 401)
            #expect(answer["Gatehouse-Reason"] == "credential_expired")
            #expect(answer["WWW-Authenticate"]?.contains("invalid_token") == true)
            #expect(try await isClosed(streaming))
        }
    }

    @Test func lesson46_anotherConfigurationIsJudgedByAtOnce() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness)
            var same = harness.configuration
            same.requestLog = .all
            try await harness.server.replace(configuration: same)
            let before = harness.withdrawn.rechecks
            while harness.withdrawn.rechecks < before + 3 { try await expectEcho(client) }
            var stricter = harness.configuration
            var route = try #require(Harness.routes.first)
            route.rules = [RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])])))]
            stricter.snapshot = try Snapshot.compile([route])
            try await harness.server.replace(configuration: stricter)
            #expect(try await isClosed(client))
            #expect(harness.log.contains("reason=group_missing"))
        }
    }

    @Test func aPathThatNowLeadsToAnotherAppEndsTheTunnel() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness, "/public/x", [])
            var moved = harness.configuration
            moved.upstreams[0].name = "another"
            try await harness.server.replace(configuration: moved)
            #expect(try await isClosed(client))
        }
    }

    @Test func aRouteThatLooksElsewhereForCredentialsEndsTheTunnel() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness)
            let open = try await open(harness, "/public/x")
            var moved = harness.configuration
            var route = try #require(Harness.routes.first)
            route.credentialsFrom = .authorization
            moved.snapshot = try Snapshot.compile([route])
            try await harness.server.replace(configuration: moved)
            #expect(try await isClosed(client))
            try await expectEcho(open)
        }
    }

    @Test func tunnelsAreCountedByRoute() async throws {
        try await withHarness(try await Harness(origin: Self.echo())) { harness in
            let client = try await open(harness)
            let port = try #require(harness.server.monitorAddress?.port)
            func metrics() async throws -> String {
                let monitor = try RawClient(port: port)
                try await monitor.write("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return try await monitor.readToEnd()
            }
            #expect(try await metrics().contains("gatehouse_tunnels{route=\"wiki\"} 1\n"))
            client.finishWriting()
            #expect(try await isClosed(client))
            var text = try await metrics()
            while !text.contains("gatehouse_tunnels{route=\"wiki\"} 0\n") { text = try await metrics() }
        }
    }

    @Test func aCloseBehindALargeAnswerLosesNothing() async throws {
        let size = 8 << 20
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            connection.writeNow([UInt8](repeating: 7, count: size))
        }
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key, "Connection: close"]))
            _ = try await client.read(until: "\r\n\r\n")
            var count = 0
            while case let some = try await client.read(1024), !some.isEmpty { count += some.count }
            #expect(count == size)
        }
    }
}
