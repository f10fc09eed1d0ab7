import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// Listeners, the monitor, limits, and the end.
@Suite(.serialized)
struct ServerTests {
    private static let key = "X-API-Key: gate_anna"

    @Test func aListenerAnswersOnlyWhatItServes() async throws {
        let harness = try await Harness(responders: [LocalRequestTests.Echo()]) {
            let address = $0.listeners[0].address
            $0.listeners = [Surfaces.apps, .portal, .check].map { ListenerDescription(address: address, serve: $0) }
            $0.trustedProxies.networks = [Network("127.0.0.0/8")!]
        }
        try await withHarness(harness) { harness in
            let check = ["X-Original-URL: https://wiki.example.com/public/x", "X-Original-Method: GET"]
            let requests = [
                Harness.request("GET", "/public/x"), Harness.request("GET", "/.auth/x"),
                Harness.request("GET", "/.auth/check/nginx", check),
            ]
            for (index, bound) in harness.server.listening.enumerated() {
                for (number, request) in requests.enumerated() {
                    let client = try RawClient(port: bound.port!)
                    try await client.write(request)
                    do {
                        let value = try await client.readAnswer().status == (index == number ? 200 : 404)
                        #expect(value)
                    }
                }
            }
        }
    }

    @Test func theMonitorSaysHowItIs() async throws {
        try await withHarness(try await Harness()) { harness in
            _ = try await harness.get("/", [Self.key])
            _ = try await harness.get("/")
            func monitor(_ path: String) async throws -> String {
                let client = try RawClient(port: harness.server.monitorAddress!.port!)
                try await client.write("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                return try await client.readToEnd()
            }
            do {
                let value = try await monitor("/healthz").hasPrefix("HTTP/1.1 200")
                #expect(value)
            }
            do {
                let value = try await monitor("/readyz").hasSuffix("ready\n")
                #expect(value)
            }
            do {
                let value = try await monitor("/x").hasPrefix("HTTP/1.1 404")
                #expect(value)
            }
            let metrics = try await monitor("/metrics")
            #expect(
                metrics.contains(
                    "gatehouse_requests_total{route=\"wiki\",shape=\"inline\",verdict=\"allow\",reason=\"\"} 1\n"))
            #expect(
                metrics.contains(
                    "gatehouse_requests_total{route=\"wiki\",shape=\"inline\",verdict=\"sign_in\",reason=\"sign_in_required\"} 1\n"
                ))
            #expect(metrics.contains("gatehouse_request_seconds_count{route=\"wiki\",shape=\"inline\"} 2\n"))
            #expect(metrics.contains("gatehouse_upstream_errors_total{upstream=\"wiki\",kind=\"connect\"} 0\n"))
            #expect(metrics.contains("gatehouse_upstream_connections{upstream=\"wiki\",state=\"idle\"} 1\n"))
            #expect(metrics.contains("extra_metric 1\n"))
            // Not on the public listener.
            do {
                let value = try await harness.get("/metrics").status
                #expect(value == 401)
            }
        }
    }

    @Test func unixSocketsServeWithTheirModeAndAreTrustedOnlyWhenSaid() async throws {
        let path = "/tmp/gatehouse-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        let harness = try await Harness(workers: 2) {
            $0.listeners.append(ListenerDescription(address: .unix(path: path, mode: 0o660, group: nil)))
            $0.trustedProxies.unix = true
        }
        try await withHarness(harness) { harness in
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660)
            for number in 0..<4 {
                let client = try RawClient(path: path)
                try await client.write(Harness.request("GET", "/", [Self.key, "X-Forwarded-For: 203.0.113.\(number)"]))
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == 200)
                }
            }
            #expect(harness.origin.requests[3].all("X-Forwarded-For") == ["203.0.113.3"])
            await #expect(throws: ProxyError(.addressInUse, "")) {
                _ = try await Harness(origin: harness.origin) {
                    $0.listeners = [ListenerDescription(address: .unix(path: path, mode: 0o660, group: nil))]
                }
            }
        }
        #expect(access(path, F_OK) != 0)
    }

    @Test func anUpstreamMayBeAUnixSocket() async throws {
        let path = "/tmp/gatehouse-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        let inner = try await Harness {
            $0.listeners = [ListenerDescription(address: .unix(path: path, mode: 0o600, group: nil))]
        }
        try await withHarness(inner) { inner in
            let outer = try await Harness(origin: inner.origin) { $0.upstreams[0].addresses = [.unix(path: path)] }
            let answer: Answer
            do {
                answer = try await outer.get("/public/x", [Self.key])
            } catch {
                await outer.server.stop(drain: .zero)
                throw error
            }
            await outer.server.stop(drain: .zero)
            #expect(answer.status == 200)
            // The inner one strips what the outer one said: it trusts nobody here.
            #expect(inner.origin.requests[0].all("Remote-User") == [""])
            #expect(inner.origin.requests[0].all("Via") == ["1.1 gatehouse", "1.1 gatehouse"])
            #expect(inner.origin.requests[0].all("X-Forwarded-For").isEmpty)
        }
    }

    @Test func aPortThatIsTakenIsAnError() async throws {
        try await withHarness(try await Harness(workers: 2)) { harness in
            let port = harness.port
            await #expect(throws: ProxyError(.addressInUse, "")) {
                _ = try await Harness(origin: harness.origin, workers: 2) {
                    $0.listeners = [ListenerDescription(address: .tcp(host: "127.0.0.1", port: port))]
                }
            }
        }
    }

    @Test func severalLoopsServeOnePort() async throws {
        try await withHarness(try await Harness(workers: 3)) { harness in
            for _ in 0..<30 {
                do {
                    let value = try await harness.get("/", [Self.key]).status
                    #expect(value == 200)
                }
            }
        }
    }

    @Test func aStopLetsExchangesEndAndTakesNoMore() async throws {
        let go = Counter()
        let seen = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            seen.add(1)
            while go.value == 0 { usleep(1000) }
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try connection.readNow()
        }
        let harness = try await Harness(origin: origin)
        let idle = try harness.connect()
        let busy = try harness.connect()
        let port = harness.port
        try await busy.write(Harness.request("GET", "/", [Self.key]))
        while seen.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
        async let stopped: Void = harness.server.stop(drain: .seconds(10))
        do {
            let value = try await idle.readToEnd().isEmpty
            #expect(value)
        }
        #expect(throws: RawClient.Failure.self) { _ = try RawClient(port: port) }
        go.add(1)
        let answer = try await busy.readAnswer()
        #expect(answer.body == "ok")
        #expect(answer["Connection"] == "close")
        do {
            let value = try await busy.readToEnd().isEmpty
            #expect(value)
        }
        await stopped
        #expect(harness.records.seconds >= 1)
        origin.stop()
    }

    @Test func aStopEndsWhatDoesNotEndByItself() async throws {
        let seen = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            seen.add(1)
            _ = try connection.readNow()
        }
        let harness = try await Harness(origin: origin)
        let client = try harness.connect()
        try await client.write(Harness.request("GET", "/", [Self.key]))
        while seen.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
        await harness.server.stop(drain: .milliseconds(50))
        do {
            let value = try await client.readToEnd().isEmpty
            #expect(value)
        }
        origin.stop()
    }

    /// Each with its own limit alone, so that nothing but what is waited for can be cut off on a slow machine.
    @Test func slowHeadsAndSilentConnectionsAreCut() async throws {
        let heads = try await Harness { $0.limits.headTimeout = .milliseconds(60) }
        try await withHarness(heads) { harness in
            let silent = try harness.connect()
            let nothing = try await silent.readToEnd()
            #expect(nothing.isEmpty)
            let slow = try harness.connect()
            // It may be cut off before this has arrived.
            slow.writeNow("GET / HT")
            let nothingEither = try await slow.readToEnd()
            #expect(nothingEither.isEmpty)
        }
    }

    @Test func keptConnectionsAreCutWhenNothingFollows() async throws {
        let harness = try await Harness { $0.limits.keepAliveTimeout = .milliseconds(60) }
        try await withHarness(harness) { harness in
            let kept = try harness.connect()
            try await kept.write(Harness.request("GET", "/public/x"))
            let answer = try await kept.readToEnd()
            #expect(answer.hasSuffix("ok"))
        }
    }

    @Test func slowBodiesAreCut() async throws {
        let harness = try await Harness { $0.limits.bodyTimeout = .milliseconds(60) }
        try await withHarness(harness) { harness in
            let body = try harness.connect()
            try await body.write(Harness.request("POST", "/public/x", ["Content-Length: 10"]) + "abc")
            let answer = try await body.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func moreConnectionsThanAllowedWait() async throws {
        let harness = try await Harness { $0.limits.maximumConnections = 2 }
        try await withHarness(harness) { harness in
            let clients = [try harness.connect(), try harness.connect()]
            for client in clients {
                try await client.write(Harness.request("GET", "/public/x"))
                do {
                    let value = try await client.readAnswer().status
                    #expect(value == 200)
                }
            }
            let third = try harness.connect()
            try await third.write(Harness.request("GET", "/public/x"))
            // It is served as soon as one of the others has gone.
            clients[0].hangUp()
            let value = try await third.readAnswer().status
            #expect(value == 200)
        }
    }

    @Test func aHalfClosedClientStillGetsItsAnswer() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            client.finishWriting()
            do {
                let value = try await client.readToEnd().hasSuffix("ok")
                #expect(value)
            }
        }
    }

    @Test func accessLinesNameNoCredential() async throws {
        let harness = try await Harness { $0.requestLog = .all }
        try await withHarness(harness) { harness in
            _ = try await harness.get("/a?secret=1", [Self.key, "Cookie: c=secret"])
            let none = try await harness.get("/b")
            #expect(none.status == 401)
            let lines = harness.log.all.filter { $0.hasPrefix("info request") }
            #expect(lines.count == 2)
            #expect(lines[0].contains("user=anna"))
            #expect(lines[0].contains("path=/a "))
            #expect(lines[1].contains("reason=sign_in_required"))
            #expect(!lines.joined().contains("secret"))
            #expect(!lines.joined().contains("gate_"))
        }
    }

    @Test func aNewConfigurationTakesTheNextRequest() async throws {
        try await withHarness(try await Harness(workers: 2)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/", [Self.key]))
            do {
                let value = try await client.readAnswer().status
                #expect(value == 200)
            }
            var configuration = Configuration(
                listeners: [], publicURL: "https://auth.example.com",
                snapshot: try Snapshot.compile([
                    RouteDescription(
                        name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.deny(.everyone))])
                ]), routes: [RouteParameters(upstream: 0)],
                upstreams: [
                    UpstreamDescription(name: "wiki", addresses: [.tcp(host: "127.0.0.1", port: harness.origin.port)])
                ])
            configuration.limits.tick = .milliseconds(10)
            try await harness.server.replace(configuration: configuration)
            try await client.write(Harness.request("GET", "/", [Self.key]))
            do {
                let value = try await client.readAnswer().status
                #expect(value == 403)
            }
        }
    }
}
