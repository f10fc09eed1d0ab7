import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// What a reload means for those who are in the middle of something.
@Suite struct ReplaceTests {
    private static let other = RouteDescription(
        name: "other", hosts: ["other.example.com"], rules: [RuleDescription(.allow(.everyone))])

    private static func configuration(
        _ routes: [RouteDescription], upstreams: [UpstreamDescription]
    ) throws -> Configuration {
        var configuration = Configuration(
            listeners: [], publicURL: "https://auth.example.com", snapshot: try Snapshot.compile(routes),
            routes: routes.map { _ in RouteParameters(upstream: upstreams.isEmpty ? nil : 0) }, upstreams: upstreams)
        configuration.limits.tick = .milliseconds(10)
        makePatient(&configuration)
        return configuration
    }

    /// Nothing lasts so long that the next configuration judges it, and no connection to an upstream gets old.
    private static func makePatient(_ configuration: inout Configuration) {
        configuration.limits.lastingAfter = .seconds(3600)
        configuration.limits.upstreamKeepAlive = .seconds(3600)
    }

    private static func metrics(_ harness: Harness) async throws -> String {
        let client = try RawClient(port: try #require(harness.server.monitorAddress?.port))
        try await client.write("GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        return try await client.readToEnd()
    }

    @Test func anExchangeEndsAsItBeganThoughItsRouteIsGone() async throws {
        let go = Counter()
        let seen = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            seen.add(1)
            while go.value == 0 { usleep(1000) }
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        var routes = Harness.routes
        routes.insert(Self.other, at: 0)
        let patient = try await Harness(origin: origin, routes: routes, workers: 2, change: Self.makePatient)
        try await withHarness(patient) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/public/x"))
            while seen.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
            // Its index is one that no route has any more, and neither has its upstream.
            try await harness.server.replace(configuration: try Self.configuration([Self.other], upstreams: []))
            go.add(1)
            let value1 = try await client.readAnswer().body
            #expect(value1 == "ok")
            try await client.write(Harness.request("GET", "/public/x"))
            let value2 = try await client.readAnswer().status
            #expect(value2 == 421)
            let text = try await Self.metrics(harness)
            #expect(text.contains("gatehouse_requests_total{route=\"\",shape=\"inline\""))
            #expect(!text.contains("upstream=\"wiki\""))
        }
    }

    @Test func anUpstreamThatIsGoneMayStillFail() async throws {
        let go = Counter()
        let seen = Counter()
        let origin = Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            seen.add(1)
            while go.value == 0 { usleep(1000) }
        }
        try await withHarness(try await Harness(origin: origin, change: Self.makePatient)) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/public/x", ["Content-Length: 0"]))
            while seen.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
            try await harness.server.replace(configuration: try Self.configuration([Self.other], upstreams: []))
            go.add(1)
            let value3 = try await client.readAnswer().status
            #expect(value3 == 502)
        }
    }

    @Test func connectionsToTheSameUpstreamStay() async throws {
        let connections = Counter()
        let origin = Origin { connection, _ in
            connections.add(1)
            while true {
                _ = try Origin.readRequest(connection)
                connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        try await withHarness(try await Harness(origin: origin, change: Self.makePatient)) { harness in
            let client = try harness.connect()
            var upstream = UpstreamDescription(name: "wiki", addresses: [.tcp(host: "127.0.0.1", port: origin.port)])
            for _ in 0..<3 {
                try await client.write(Harness.request("GET", "/public/x"))
                let value4 = try await client.readAnswer().status
                #expect(value4 == 200)
                // Another place in the list, another route in front.
                let unused = UpstreamDescription(name: "unused", addresses: [.unix(path: "/nowhere")])
                var configuration = try Self.configuration(
                    [Self.other] + Harness.routes, upstreams: [unused, upstream])
                configuration.routes[1].upstream = 1
                try await harness.server.replace(configuration: configuration)
            }
            #expect(connections.value == 1)
            upstream.idleTimeout = .seconds(7)
            try await harness.server.replace(
                configuration: try Self.configuration(Harness.routes, upstreams: [upstream]))
            try await client.write(Harness.request("GET", "/public/x"))
            let value5 = try await client.readAnswer().status
            #expect(value5 == 200)
            #expect(connections.value == 2)
        }
    }

    @Test func loopsThatKnowDifferentUpstreamsAreCountedByName() {
        var one = LoopCounters(routeNames: ["a"], upstreamNames: ["new", "wiki"])
        one.countUpstreamError("wiki", .closed)
        one.countUpstreamError("gone", .closed)
        var other = LoopCounters(routeNames: [], upstreamNames: ["wiki"])
        other.countUpstreamError("wiki", .closed)
        let text = Exposition.render([
            .init(counters: one, connections: [(idle: 1, active: 2), (idle: 3, active: 4)], tunnels: [:]),
            .init(counters: other, connections: [(idle: 10, active: 20)], tunnels: [:]),
        ])
        #expect(text.contains("gatehouse_upstream_errors_total{upstream=\"wiki\",kind=\"closed\"} 2\n"))
        #expect(text.contains("gatehouse_upstream_connections{upstream=\"wiki\",state=\"idle\"} 13\n"))
        #expect(text.contains("gatehouse_upstream_connections{upstream=\"new\",state=\"active\"} 2\n"))
        #expect(!text.contains("gone"))
    }

    @Test func passedSocketsOutliveTheServer() async throws {
        let (listener, port) = Sockets.listening()
        defer { close(listener) }
        for _ in 0..<2 {
            let descriptor = dup(listener)
            let harness = try await Harness(workers: 2) {
                $0.listeners = [ListenerDescription(address: .passed(name: "web", descriptors: [descriptor]))]
            }
            try await withHarness(harness) { harness in
                let value6 = try await harness.get("/public/x").status
                #expect(value6 == 200)
                #expect(harness.server.listening.map(\.description) == ["127.0.0.1:\(port)"])
            }
        }
    }
}
