import Core
import Policy
import Testing

@testable import Proxy

/// What a listener answers that serves a part of all.
@Suite(.serialized)
struct SurfaceTests {
    private func ask(_ serve: Surfaces, routes: [RouteDescription] = Harness.routes, _ path: String, host: String)
        async throws -> (Int, String?)
    {
        var found: (Int, String?) = (0, nil)
        try await withHarness(try await Harness(routes: routes) { $0.listeners[0].serve = serve }) { harness in
            let answer = try await harness.get(path, host: host)
            found = (answer.status, answer["Location"])
        }
        return found
    }

    @Test(
        arguments: [
            ([.portal], "/", "auth.example.com", 303), ([.portal, .check], "/", "Auth.Example.com:443", 303),
            ([.portal], "/x", "auth.example.com", 404), ([.portal], "/", "wiki.example.com", 404),
            ([.portal], "/", "nowhere.example.com", 404), ([.check], "/", "auth.example.com", 404),
            ([.apps], "/", "auth.example.com", 404), ([.apps], "/", "nowhere.example.com", 421),
            ([.apps, .portal], "/", "auth.example.com", 303), ([.apps], "/.auth/login", "auth.example.com", 404),
        ] as [(Surfaces, String, String, Int)])
    func theRestIs404(_ serve: Surfaces, _ path: String, _ host: String, _ status: Int) async throws {
        let answer = try await ask(serve, path, host: host)
        #expect(answer.0 == status)
        #expect(answer.1 == (status == 303 ? "/.auth/account" : nil))
    }

    /// It is an exchange as others are.
    @Test func theFrontDoorIsLoggedAndCounted() async throws {
        try await withHarness(try await Harness { $0.requestLog = .all }) { harness in
            let answer = try await harness.get("/", host: "auth.example.com")
            #expect(answer.status == 303)
            #expect(harness.log.contains("request") && harness.log.contains("shape=portal status=303 verdict=allow"))
            let monitor = try RawClient(port: try #require(harness.server.monitorAddress?.port))
            try await monitor.write("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let metrics = try await monitor.readToEnd()
            #expect(
                metrics.contains(
                    "gatehouse_requests_total{route=\"\",shape=\"portal\",verdict=\"allow\",reason=\"\"} 1\n"))
        }
    }

    @Test func aRouteThatTakesTheFrontDoorHasItOnEveryListener() async throws {
        let routes =
            Harness.routes + [
                RouteDescription(
                    name: "front", hosts: ["auth.example.com"], rules: [RuleDescription(.allow(.everyone))])
            ]
        for (serve, status) in [([.portal], 404), ([.apps], 200)] as [(Surfaces, Int)] {
            let answer = try await ask(serve, routes: routes, "/", host: "auth.example.com")
            #expect(answer.0 == status)
        }
    }
}
