import Core
import NIOCore
import Policy
import Synchronization
import Testing

@testable import Proxy

/// CONTRACT section 3, "Cookies", through a whole server.
@Suite struct SessionCookieTests {
    private static let name = "__Host-gatehouse"

    /// What the app got to see, or the status that the client got.
    private func ask(_ lines: [String], path: String = "/") async throws -> (status: Int, seen: String) {
        var result = (status: 0, seen: "")
        try await withHarness(try await Harness()) { harness in
            let answer = try await harness.get(path, lines)
            result = (answer.status, harness.origin.requests.first?.head ?? "")
        }
        return result
    }

    @Test func theAppsCookieOpensAndIsTakenOut() async throws {
        let (status, seen) = try await ask(["Cookie: a=1; \(Self.name)=c-anna; b=2"])
        #expect(status == 200)
        #expect(seen.contains("\r\nCookie: a=1; b=2\r\n"))
        #expect(seen.contains("\r\nRemote-User: anna\r\n"))
        #expect(!seen.contains("c-anna"))
    }

    @Test func nothingIsLeftOfAFieldThatHeldOnlyOurs() async throws {
        let (_, seen) = try await ask([
            "Cookie: \(Self.name)=c-anna;\(Self.name)-portal=p-anna ; gatehouse=x;__Secure-gatehouse=y"
        ])
        #expect(!seen.lowercased().contains("\r\ncookie:"))
        #expect(seen.contains("\r\nRemote-User: anna\r\n"))
    }

    @Test(arguments: [
        "__Host-gatehouse-portal=p-anna", "__Host-gatehouse-portal=c-anna", "gatehouse=c-anna",
        "__Secure-gatehouse=c-anna", "__host-gatehouse=c-anna", "__Host-gatehouse=gone", "__Host-gatehouse=",
        "__Host-gatehouse", "\"__Host-gatehouse\"=c-anna", "__Host-gatehouse=p-anna",
    ])
    func lesson21_whatIsNotGoodIsNobody(cookie: String) async throws {
        let (status, _) = try await ask(["Cookie: \(cookie)"])
        #expect(status == 401)
        let (open, seen) = try await ask(["Cookie: theirs=1; \(cookie)"], path: "/public/x")
        #expect(open == 200)
        #expect(seen.contains("\r\nRemote-User: \r\n") || seen.contains("\r\nRemote-User:\r\n"))
        if !cookie.hasPrefix("\""), cookie.contains("=") { #expect(seen.contains("\r\nCookie: theirs=1\r\n")) }
    }

    @Test func severalOfOurNameAreTriedAndTwoSessionsAreNobody() async throws {
        let good = try await ask(["Cookie: \(Self.name)=x; \(Self.name)=y; \(Self.name)=z; \(Self.name)=c-anna"])
        #expect(good.status == 200)
        let fifth = try await ask([
            "Cookie: \(Self.name)=x; \(Self.name)=y; \(Self.name)=z; \(Self.name)=w; \(Self.name)=c-anna"
        ])
        #expect(fifth.status == 401)
        let renewed = try await ask(["Cookie: \(Self.name)=c-anna-before; \(Self.name)=c-anna"])
        #expect(renewed.status == 200)
        let two = try await ask(["Cookie: \(Self.name)=c-anna", "Cookie: \(Self.name)=c-bert"])
        #expect(two.status == 401 && two.seen.isEmpty)
        let store = try await ask(["Cookie: \(Self.name)=c-store; \(Self.name)=c-anna"])
        #expect(store.status == 503)
    }

    @Test func keysAndTokensComeFirst() async throws {
        let (_, seen) = try await ask(["Cookie: \(Self.name)=c-anna", "X-API-Key: gate_bert"], path: "/public/x")
        #expect(seen.contains("\r\nRemote-User: bert\r\n") && !seen.contains("c-anna"))
        // Ours and not valid decides, whatever else is there.
        let refused = try await ask(["Cookie: \(Self.name)=c-anna", "X-API-Key: gate_revoked"])
        #expect(refused.status == 401)
        // What is the app's own decides nothing.
        let app = try await ask(["Cookie: \(Self.name)=c-anna", "Authorization: Bearer \(Sample.unknownToken)"])
        #expect(app.status == 200 && app.seen.contains(Sample.unknownToken))
    }

    @Test func aRouteThatDoesNotLookAtCookiesTakesThemOutAllTheSame() async throws {
        let routes = [
            RouteDescription(
                name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.everyone))],
                credentialsFrom: [.key])
        ]
        try await withHarness(try await Harness(routes: routes)) { harness in
            _ = try await harness.get("/", ["Cookie: \(Self.name)=c-anna; a=1"])
            let seen = harness.origin.requests.first?.head ?? ""
            #expect(!seen.contains("anna") && seen.contains("\r\nCookie: a=1\r\n"))
        }
    }

    @Test func thePortalReadsItsOwnCookieOnItsOwnHostOnly() async throws {
        let portal = RecordingResponder()
        try await withHarness(try await Harness(responders: [portal])) { harness in
            let both = ["Cookie: \(Self.name)=c-bert; \(Self.name)-portal=p-anna"]
            _ = try await harness.get("/.auth/account", both, host: "auth.example.com")
            _ = try await harness.get("/.auth/account", both, host: "AUTH.example.com:443")
            _ = try await harness.get("/.auth/api/me", both, host: "wiki.example.com")
            _ = try await harness.get("/.auth/account", ["Cookie: \(Self.name)=c-bert"], host: "auth.example.com")
            #expect(portal.users == ["anna portal", "anna portal", "bert app", "nobody"])
        }
    }

    @Test func checksGetTheCookieWithoutOurs() async throws {
        let harness = try await Harness {
            $0.trustedProxies = TrustedProxies(networks: [Network("127.0.0.1")].compactMap { $0 }, unix: false)
        }
        try await withHarness(harness) { harness in
            let description = ["X-Original-Method: GET", "X-Original-URL: https://wiki.example.com/"]
            let answer = try await harness.get(
                "/.auth/check/nginx", description + ["Cookie: a=1; \(Self.name)=c-anna", "Cookie: b=2"],
                host: "auth.example.com")
            #expect(answer.status == 200)
            #expect(answer.all("cookie") == ["a=1; b=2"])
            let alone = try await harness.get(
                "/.auth/check/nginx", description + ["Cookie: \(Self.name)=c-anna"], host: "auth.example.com")
            #expect(alone.all("cookie") == [""])
        }
    }

    @Test(arguments: [
        ("https://wiki.example.com", true), ("https://WIKI.example.com:443", true), ("https://evil.example.com", false),
        ("http://wiki.example.com", false), ("null", false), ("", false), ("https://wiki.example.com.evil.com", false),
        ("https://partner.example.org", true), ("https://partner.example.org.evil.com", false),
        ("https://user@wiki.example.com", false), ("https://wiki.example.com/x", false),
    ])
    func anUpgradeByCookieNeedsAnOrigin(origin: String, isAllowed: Bool) {
        let allowed = Array(origin.utf8).withUnsafeBytes { origin in
            Array("wiki.example.com".utf8).withUnsafeBytes { host in
                UpgradeOrigin.isAllowed(origin, host: host, scheme: .https, others: ["https://partner.example.org"])
            }
        }
        #expect(allowed == isAllowed)
    }

    @Test func anUpgradeFromElsewhereIsNobodys() async throws {
        let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Cookie: \(Self.name)=c-anna"]
        for lines in [[], ["Origin: https://evil.example.com"], ["Origin: https://wiki.example.com", "Origin: null"]] {
            let (status, _) = try await ask(upgrade + lines)
            #expect(status == 401)
        }
        let (_, seen) = try await ask(upgrade + ["Origin: https://wiki.example.com"])
        #expect(seen.contains("\r\nRemote-User: anna\r\n"))
        // A key is not sent by a browser of its own accord.
        let (_, key) = try await ask(["Connection: Upgrade", "Upgrade: websocket", "X-API-Key: gate_anna"])
        #expect(key.contains("\r\nRemote-User: anna\r\n"))
    }

    @Test func namesFollowSchemeAndDomain() {
        #expect(SessionCookieNames(name: "g", domain: nil, isSecure: true).app == "__Host-g")
        #expect(SessionCookieNames(name: "g", domain: "example.com", isSecure: true).app == "__Secure-g")
        #expect(SessionCookieNames(name: "g", domain: "example.com", isSecure: true).portal == "__Host-g-portal")
        #expect(SessionCookieNames(name: "g", domain: nil, isSecure: false).app == "g")
    }
}

/// Remembers who asked and by which cookie.
final class RecordingResponder: LocalResponder {
    private let seen = Mutex<[String]>([])

    var users: [String] { seen.withLock { $0 } }

    func respond(to request: LocalRequest) async -> LocalResponse? {
        var plane = ""
        if case .session(let origin) = request.identity?.origin { plane = " \(origin.plane.rawValue)" }
        seen.withLock { $0.append((request.identity?.user ?? "nobody") + plane) }
        return LocalResponse(status: 204)
    }
}
