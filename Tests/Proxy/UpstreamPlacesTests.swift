import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// As many connections to upstreams as there are descriptors for, and no more.
@Suite(.serialized) struct UpstreamPlacesTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// Answers when `go` is raised, and says in `seen` how many have asked.
    private func slowOrigin(_ go: Counter, _ seen: Counter) -> Origin {
        Origin { connection, _ in
            while true {
                _ = try Origin.readRequest(connection)
                seen.add(1)
                while go.value == 0 { usleep(1000) }
                connection.writeNow(Self.answer)
            }
        }
    }

    private func wait(until isTrue: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !isTrue() {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private func metrics(_ harness: Harness) async throws -> String {
        let client = try RawClient(port: try #require(harness.server.monitorAddress?.port))
        try await client.write("GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
        return try await client.readToEnd()
    }

    @Test func whoFindsNoPlaceWaitsForOne() async throws {
        let (go, seen) = (Counter(), Counter())
        let harness = try await Harness(origin: slowOrigin(go, seen), workers: 2) {
            $0.limits.maximumUpstreamConnections = 2
            $0.upstreams[0].connectTimeout = .seconds(60)
        }
        try await withHarness(harness) { harness in
            var clients: [RawClient] = []
            for number in 0..<8 {
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/public/x"))
                clients.append(client)
                if number < 2 { try await wait { seen.value == number + 1 } }
            }
            #expect(harness.origin.connections == 2)
            go.add(1)
            for client in clients {
                let status = try await client.readAnswer().status
                #expect(status == 200)
            }
            #expect(harness.log.contains("a connection to an upstream waits"))
        }
    }

    /// Also one of another upstream, and of another loop.
    @Test func anIdleConnectionMakesRoom() async throws {
        let other = Origin.answering()
        defer { other.stop() }
        let harness = try await Harness(
            routes: Harness.routes + [
                RouteDescription(
                    name: "other", hosts: ["other.example.com"], rules: [RuleDescription(.allow(.everyone))])
            ], workers: 2
        ) {
            $0.limits.maximumUpstreamConnections = 1
            $0.upstreams[0].connectTimeout = .seconds(60)
            var upstream = $0.upstreams[0]
            upstream.name = "other"
            upstream.addresses = [.tcp(host: "127.0.0.1", port: other.port)]
            $0.upstreams.append(upstream)
            $0.routes[1].upstream = 1
        }
        try await withHarness(harness) { harness in
            for _ in 0..<6 {
                for host in ["wiki.example.com", "other.example.com"] {
                    let answer = try await harness.get("/public/x", host: host)
                    #expect(answer.status == 200)
                }
            }
        }
    }

    @Test func whoWaitsInVainIsToldSoAndTheServersAreNotBlamed() async throws {
        let (go, seen) = (Counter(), Counter())
        defer { go.add(1) }
        let harness = try await Harness(origin: slowOrigin(go, seen)) {
            $0.limits.maximumUpstreamConnections = 1
            $0.upstreams[0].connectTimeout = .milliseconds(200)
            $0.upstreams[0].addresses.append(.tcp(host: "127.0.0.2", port: 1))
            $0.upstreams[0].addresses.reverse()
        }
        try await withHarness(harness) { harness in
            // The one that refuses connections gives its place back each time.
            let first = try harness.connect()
            try await first.write(Harness.request("GET", "/public/x"))
            try await wait { seen.value == 1 }
            let before = try await metrics(harness)
            let answer = try await harness.get("/public/x")
            #expect(answer.status == 503)
            #expect(answer["Gatehouse-Reason"] == "upstream_failed")
            #expect(answer["Retry-After"] == "1")
            let text = try await metrics(harness)
            #expect(text.contains("gatehouse_upstream_errors_total{upstream=\"wiki\",kind=\"no_descriptor\"} 1\n"))
            let ejections = { (text: String) in text.split(separator: "\n").filter { $0.contains("ejections_total{") } }
            #expect(ejections(text) == ejections(before))
            go.add(1)
            let status = try await first.readAnswer().status
            #expect(status == 200)
        }
    }

    @Test func connectionsThatFailAndClientsThatLeaveGivePlacesBack() async throws {
        let origin = Origin.answering()
        let (descriptor, refusing) = Sockets.listening()
        close(descriptor)
        let harness = try await Harness(
            origin: origin,
            routes: Harness.routes + [
                RouteDescription(
                    name: "down", hosts: ["down.example.com"], rules: [RuleDescription(.allow(.everyone))])
            ]
        ) {
            $0.limits.maximumUpstreamConnections = 1
            var upstream = $0.upstreams[0]
            upstream.name = "down"
            upstream.addresses = [.tcp(host: "127.0.0.1", port: refusing)]
            $0.upstreams.append(upstream)
            $0.routes[1].upstream = 1
        }
        try await withHarness(harness) { harness in
            for _ in 0..<5 {
                let down = try await harness.get("/", host: "down.example.com")
                #expect(down.status == 503)
                let client = try harness.connect()
                try await client.write(Harness.request("GET", "/", host: "down.example.com"))
                client.resetOnClose()
            }
            let text = try await metrics(harness)
            #expect(text.contains("gatehouse_upstream_errors_total{upstream=\"down\",kind=\"no_descriptor\"} 0\n"))
            let answer = try await harness.get("/public/x")
            #expect(answer.status == 200)
        }
    }

    @Test func fewAreAcceptedAtOnceWhereThereAreFewDescriptors() {
        #expect(Listener.acceptedAtOnce(maximum: 16_384, sockets: 4) == 16)
        #expect(Listener.acceptedAtOnce(maximum: 384, sockets: 2) == 6)
        #expect(Listener.acceptedAtOnce(maximum: 96, sockets: 2) == 1)
        #expect(Listener.acceptedAtOnce(maximum: 8, sockets: 0) == 1)
    }
}
