import Core
import Glibc
import Logging
import Testing

@testable import Proxy

/// Several servers of one upstream: which one is taken, which one is left out, and what a name stands for.
@Suite(.serialized)
struct ServersTests {
    private static let key = "X-API-Key: gate_anna"

    /// A port of 127.0.0.1 that nobody listens at.
    private static func deadPort() -> Int {
        let (descriptor, port) = Sockets.listening()
        close(descriptor)
        return port
    }

    private func metrics(_ harness: Harness) async throws -> String {
        let client = try RawClient(port: try #require(harness.server.monitorAddress?.port))
        try await client.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        return try await client.readToEnd()
    }

    private func eventually(_ what: String, _ body: () async throws -> Bool) async throws {
        for _ in 0..<1_500 {
            if try await body() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(what) never happened")
    }

    @Test func theLoadOfAllLoopsCounts() async throws {
        let counters = [Counter(), Counter()]
        let origins = counters.map { counter in
            Origin { connection, _ in
                _ = try Origin.readRequest(connection)
                counter.add(1)
                while try !connection.readNow().isEmpty {}
            }
        }
        let harness = try await Harness(origin: origins[0], workers: 2) {
            $0.upstreams[0].addresses = origins.map { .tcp(host: "127.0.0.1", port: $0.port) }
        }
        try await withHarness(harness) { harness in
            var clients: [RawClient] = []
            for number in 1...16 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", [Self.key]))
                clients.append(client)
                try await eventually("request \(number)") { counters[0].value + counters[1].value == number }
                #expect(abs(counters[0].value - counters[1].value) <= 1)
            }
            #expect(counters[0].value == 8)
        }
        origins[1].stop()
    }

    @Test func aServerThatDoesNotAnswerIsPassedOverAndLetInAgain() async throws {
        let isWell = Counter()
        let sick = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            if isWell.value > 0 { connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsick") }
        }
        let origin = Origin.answering()
        let harness = try await Harness(origin: origin) {
            $0.upstreams[0].addresses = [sick, origin].map { .tcp(host: "127.0.0.1", port: $0.port) }
        }
        try await withHarness(harness) { harness in
            var failures = 0
            try await eventually("the pause") {
                if try await harness.get("/", [Self.key]).status == 502 { failures += 1 }
                return harness.log.contains("passed over for a while")
            }
            #expect(failures == Ejection.patience)
            #expect(harness.log.contains("passed over for a while kind=closed milliseconds="))
            #expect(harness.log.contains("server=http://127.0.0.1:\(sick.port) upstream=wiki"))
            let text = try await metrics(harness)
            let label = "gatehouse_upstream_up{upstream=\"wiki\",server=\"http://127.0.0.1"
            #expect(text.contains("\(label):\(sick.port)\"} 0\n"))
            #expect(text.contains("\(label):\(origin.port)\"} 1\n"))
            #expect(text.contains("gatehouse_upstream_ejections_total{upstream=\"wiki\"} 1\n"))
            isWell.add(1)
            try await eventually("its return") { try await harness.get("/", [Self.key]).body == "sick" }
            #expect(harness.log.contains("answers again"))
        }
        sick.stop()
    }

    @Test func whenAllArePassedOverTheyAreTriedNevertheless() async throws {
        let ports = [Self.deadPort(), Self.deadPort()]
        let harness = try await Harness {
            $0.upstreams[0].addresses = ports.map { .tcp(host: "127.0.0.1", port: $0) }
        }
        try await withHarness(harness) { harness in
            for _ in 0..<5 {
                let answer = try await harness.get("/", [Self.key])
                #expect(answer.status == 503)
                #expect(answer["Gatehouse-Reason"] == "upstream_failed")
            }
            let text = try await metrics(harness)
            #expect(text.contains("gatehouse_upstream_errors_total{upstream=\"wiki\",kind=\"connect\"} 10\n"))
        }
    }

    @Test func theAccessLineNamesTheServerThatFailed() async throws {
        let origin = Origin { connection, _ in
            let request = try Origin.readRequest(connection)
            let isCut = request.requestLine.hasPrefix("GET /cut ")
            connection.writeNow(isCut ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab" : "nonsense\r\n\r\n")
        }
        let harness = try await Harness(origin: origin) { $0.requestLog = .all }
        try await withHarness(harness) { harness in
            _ = try await harness.get("/", [Self.key, "X-Request-Id: r1"])
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/cut", [Self.key, "X-Request-Id: r2"]))
            _ = try await client.readToEnd()
            let place = "server=http://127.0.0.1:\(origin.port)"
            for (id, kind, status) in [("r1", "malformed", 502), ("r2", "closed", 200)] {
                let line = try #require(harness.log.all.first { $0.contains("path=") && $0.contains("id=\(id) ") })
                #expect(line.contains(place) && line.contains("kind=\(kind)") && line.contains("status=\(status)"))
                #expect(line.contains("upstream=wiki"))
            }
        }
    }

    @Test func aRequestThatTimedOutOnAnOldConnectionIsNotSentAgain() async throws {
        let box = OriginBox()
        let origin = Origin { connection, _ in
            try box.origin?.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            try box.origin?.readRequest(connection)
            while try !connection.readNow().isEmpty {}
        }
        box.origin = origin
        let harness = try await Harness(origin: origin) { $0.upstreams[0].firstByteTimeout = .milliseconds(100) }
        try await withHarness(harness) { harness in
            for status in [200, 504] {
                let value = try await harness.get("/", [Self.key]).status
                #expect(value == status)
            }
            #expect(origin.requests.count == 2)
        }
    }

    // MARK: Checks

    @Test func aServerThatFailsItsChecksGetsNothingAndNoneLeftIs503() async throws {
        let status = Counter()
        let box = OriginBox()
        let origin = Origin { connection, _ in
            while let origin = box.origin {
                let isCheck = try origin.readRequest(connection).requestLine.hasPrefix("GET /healthz?deep ")
                let code = isCheck && status.value == 0 ? 500 : 200
                if isCheck { connection.writeNow("HTTP/1.1 100 Continue\r\n\r\n") }
                connection.writeNow("HTTP/1.1 \(code) X\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        box.origin = origin
        let harness = try await Harness(origin: origin, workers: 2) {
            $0.upstreams[0].health = HealthCheckDescription(path: "/healthz?deep", every: .milliseconds(50))
        }
        try await withHarness(harness) { harness in
            try await eventually("503") { try await harness.get("/", [Self.key, "X-Request-Id: r1"]).status == 503 }
            let answer = try await harness.get("/", [Self.key, "X-Request-Id: r1"])
            #expect(answer["Gatehouse-Reason"] == "upstream_failed")
            #expect(answer["X-Request-Id"] == "r1" && answer["Retry-After"] != nil)
            // A body that nobody will take does not spoil the connection's end.
            let posted = try await harness.send(Harness.request("POST", "/", [Self.key, "Content-Length: 3"]) + "abc")
            #expect(posted.status == 503)
            #expect(harness.log.contains("fails its health checks"))
            #expect(harness.log.contains("kind=unhealthy"))
            let check = try #require(origin.requests.first { $0.requestLine.hasPrefix("GET /healthz?deep ") })
            #expect(check.all("Host") == ["127.0.0.1:\(origin.port)"])
            var text = try await metrics(harness)
            #expect(text.contains("} 0\n# HELP gatehouse_upstream_ejections_total"))
            // What is known of a server that stays is kept over a reload, also where its upstream changes.
            var changed = harness.configuration
            changed.upstreams[0].idleTimeout = .seconds(7)
            try await harness.server.replace(configuration: changed)
            #expect(try await harness.get("/", [Self.key]).status == 503)
            status.add(1)
            try await eventually("200") { try await harness.get("/", [Self.key]).status == 200 }
            #expect(harness.log.contains("well again"))
            text = try await metrics(harness)
            #expect(text.contains("} 1\n# HELP gatehouse_upstream_ejections_total"))
            // Without checks nobody is ill, and nobody is asked any more.
            changed.upstreams[0].health = nil
            try await harness.server.replace(configuration: changed)
            #expect(try await harness.get("/", [Self.key]).status == 200)
        }
    }

    /// The only requests that are ours carry nothing of any client.
    @Test func lesson60_aHealthCheckCarriesNobodysCredentials() async throws {
        let origin = Origin.answering()
        let harness = try await Harness(origin: origin) {
            $0.upstreams[0].health = HealthCheckDescription(path: "/healthz", every: .milliseconds(50))
        }
        try await withHarness(harness) { harness in
            _ = try await harness.get("/", [Self.key, "Cookie: gatehouse=x", "Authorization: Bearer x"])
            try await eventually("checks") { origin.requests.count > 3 }
            for check in origin.requests where check.requestLine == "GET /healthz HTTP/1.1" {
                #expect(
                    check.lines.dropFirst() == [
                        "Host: 127.0.0.1:\(origin.port)", "User-Agent: gatehouse", "Accept: */*", "Connection: close",
                    ])
            }
        }
    }

    @Test func checksAreMadeOnceForAllLoops() async throws {
        let origin = Origin.answering()
        let harness = try await Harness(origin: origin, workers: 2) {
            $0.upstreams[0].health = HealthCheckDescription(path: "/healthz", every: .seconds(3600))
        }
        try await withHarness(harness) { harness in
            try await eventually("a check") { !origin.requests.isEmpty }
            for turn in 0..<5 {
                try await harness.server.replace(configuration: harness.configuration)
                _ = try await harness.get("/public/\(turn)")
            }
            #expect(origin.requests.count { $0.requestLine.hasPrefix("GET /healthz ") } == 1)
        }
    }

    // MARK: Names

    @Test func everyAddressOfANameIsAServer() async throws {
        let origin = Origin.answering()
        let resolver = StubResolver(["app.internal": ["127.0.0.2", "::1", "127.0.0.1"]])
        let harness = try await Harness(origin: origin, resolver: resolver) {
            $0.upstreams[0].addresses = [.tcp(host: "app.internal", port: origin.port)]
            $0.upstreams[0].host = .upstream
        }
        try await withHarness(harness) { harness in
            // The origin listens at one of the three; a request finds it whatever it begins with.
            for _ in 0..<8 {
                let answer = try await harness.send(
                    Harness.request("POST", "/", [Self.key, "Content-Length: 3"]) + "abc")
                #expect(answer.status == 200)
            }
            #expect(origin.requests.allSatisfy { $0.all("Host") == ["app.internal:\(origin.port)"] })
            let text = try await metrics(harness)
            #expect(text.contains("server=\"http://app.internal:\(origin.port) (127.0.0.1)\"} 1\n"))
            #expect(text.contains("server=\"http://app.internal:\(origin.port) (127.0.0.2)\"} 0\n"))
            #expect(text.contains("server=\"http://app.internal:\(origin.port) (::1)\"} 0\n"))
        }
    }

    @Test func aNameThatNobodyKnowsIs502UntilItIsKnown() async throws {
        let origin = Origin.answering()
        let resolver = StubResolver()
        let harness = try await Harness(origin: origin, resolver: resolver) {
            $0.upstreams[0].addresses = [.tcp(host: "app.internal", port: origin.port)]
        }
        try await withHarness(harness) { harness in
            let answer = try await harness.get("/", [Self.key])
            #expect(answer.status == 502)
            #expect(answer["Gatehouse-Reason"] == "upstream_failed")
            #expect(harness.log.contains("app.internal cannot be resolved: no such name in this test"))
            #expect(harness.log.contains("kind=resolve"))
            resolver.set("app.internal", ["127.0.0.1"])
            try await eventually("200") { try await harness.get("/", [Self.key]).status == 200 }
        }
    }

    @Test func aNameThatMovesIsFollowedAndOneThatIsLostKeepsItsAddresses() async throws {
        let origin = Origin.answering()
        let resolver = StubResolver(["app.internal": ["127.0.0.1"]])
        let harness = try await Harness(origin: origin, resolver: resolver) {
            $0.upstreams[0].addresses = [.tcp(host: "app.internal", port: origin.port)]
        }
        try await withHarness(harness) { harness in
            #expect(try await harness.get("/", [Self.key]).status == 200)
            // Nobody listens there. Reloads change nothing about what a name means, nor when it is looked up.
            resolver.set("app.internal", ["127.0.0.3"])
            try await harness.server.replace(configuration: harness.configuration)
            #expect(try await harness.get("/", [Self.key]).status == 200)
            #expect(resolver.lookups == 1)
            // A changed upstream begins with what is known and looks it up at once.
            var changed = harness.configuration
            changed.upstreams[0].idleTimeout = .seconds(7)
            try await harness.server.replace(configuration: changed)
            #expect(try await harness.get("/", [Self.key]).status == 200 || resolver.lookups == 2)
            try await eventually("503") { try await harness.get("/", [Self.key]).status == 503 }
            #expect(harness.log.contains("has other addresses addresses=127.0.0.3"))
            resolver.set("app.internal", [])
            try await eventually("a failure") { harness.log.contains("known addresses stay in use") }
            resolver.set("app.internal", ["127.0.0.1"])
            try await eventually("200") { try await harness.get("/", [Self.key]).status == 200 }
        }
    }

    @Test func aThousandReloadsLeaveNothingBehind() {
        struct Weak {
            weak var servers: UpstreamServers?
        }
        let names = NameThreads(StubResolver())
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var current: UpstreamServers?
        var made: [Weak] = []
        for turn in 0..<1_000 {
            let description = UpstreamDescription(
                name: "wiki",
                addresses: [.tcp(host: "127.0.0.1", port: 1), .tcp(host: "app.internal", port: 2)],
                idleTimeout: .seconds(60 + turn))
            let next = UpstreamServers(
                description, replacing: current, names: names, logger: logger)
            if let current { #expect(next.servers.first === current.servers.first) }
            next.lookUpDueNames(Int64(turn))
            current = next
            made.append(Weak(servers: next))
        }
        #expect(made.count { $0.servers != nil } == 1)
        names.stop()
    }
}
