import Core
import Policy
import Synchronization
import Testing

@testable import Proxy

/// Lets so many refused keys pass as it has, of each address.
final class RefusedKeys: Sendable {
    private let limit: Int
    private let counts = Mutex<[IPAddress?: Int]>([:])

    init(limit: Int = .max) { self.limit = limit }

    var asked: Int { counts.withLock { $0.values.reduce(0, +) } }

    func wait(_ address: IPAddress?) -> Duration? {
        let count = counts.withLock { counts in
            counts[address, default: 0] += 1
            return counts[address] ?? 0
        }
        return count <= limit ? nil : .milliseconds(2001)
    }
}

/// A client that goes on with keys that are refused.
@Suite(.serialized)
struct RefusedKeyTests {
    private static let wrong = "X-API-Key: gate_nobody"
    private static let good = "X-API-Key: gate_anna"

    @Test func inlineItIsToldToWait() async throws {
        let keys = RefusedKeys(limit: 2)
        try await withHarness(try await Harness(refusedKeys: keys)) { harness in
            for line in [Self.wrong, "Authorization: Bearer gate_revoked"] {
                let status = try await harness.get("/x", [line]).status
                #expect(status == 401)
            }
            for line in [Self.wrong, "Authorization: Bearer gate_revoked", "Authorization: Basic eDpnYXRlX25vYm9keQ=="]
            {
                let answer = try await harness.get("/x", [line, "Accept: text/html"])
                #expect(answer.status == 429 && answer.all("Gatehouse-Reason") == ["rate_limited"])
                #expect(answer.all("Retry-After") == ["3"] && answer.all("WWW-Authenticate").isEmpty)
            }
            #expect(harness.records.denials.suffix(3).allSatisfy { $0.reason == .rateLimited })
            #expect(harness.records.denials.suffix(2).first?.user == "anna")
            let asked = keys.asked
            // Nobody else is any the worse for it, and where everyone is let in a bad key is no key.
            let statuses = [
                try await harness.get("/x", [Self.good]).status, try await harness.get("/x").status,
                try await harness.get("/public/x", [Self.wrong]).status,
                try await harness.get("/admin/x", [Self.good]).status,
            ]
            #expect(statuses == [200, 401, 200, 403])
            #expect(keys.asked == asked)
        }
    }

    @Test func aCheckSaysItAsItsDialectDoes() async throws {
        let keys = RefusedKeys(limit: 0)
        let harness = try await Harness(refusedKeys: keys) {
            $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init)
        }
        try await withHarness(harness) { harness in
            for dialect in ["nginx", "traefik", "caddy", "haproxy"] {
                let answer = try await harness.get(
                    "/.auth/check/\(dialect)",
                    [
                        Self.wrong, "X-Forwarded-For: 203.0.113.7", "X-Original-URL: https://wiki.example.com/x",
                        "X-Original-Method: GET", "X-Forwarded-Method: GET", "X-Forwarded-Host: wiki.example.com",
                        "X-Forwarded-Uri: /x", "X-Forwarded-Proto: https",
                    ].filter { dialect == "nginx" ? !$0.hasPrefix("X-Forwarded-U") : !$0.hasPrefix("X-Original") },
                    host: "gatehouse.internal")
                #expect(answer.status == (dialect == "nginx" ? 403 : 429), "\(dialect)")
                #expect(answer.all("Gatehouse-Reason") == ["rate_limited"], "\(dialect)")
            }
            let envoy = try await harness.get("/.auth/check/envoy/x", [Self.wrong, "X-Forwarded-For: 203.0.113.7"])
            #expect(envoy.status == 429 && envoy.all("Retry-After") == ["3"])
        }
    }

    @Test func thePortalToo() async throws {
        let keys = RefusedKeys(limit: 1)
        try await withHarness(try await Harness(refusedKeys: keys)) { harness in
            let host = "auth.example.com"
            let first = try await harness.get("/.auth/api/me", [Self.wrong], host: host)
            #expect(first.status == 404, "nobody is behind it here")
            let second = try await harness.get("/.auth/api/me", [Self.wrong], host: host)
            #expect(second.status == 429 && second.all("Gatehouse-Reason") == ["rate_limited"])
            let others = [
                try await harness.get("/.auth/api/me", [Self.good], host: host).status,
                try await harness.get("/.auth/api/me", host: host).status,
            ]
            #expect(others == [404, 404])
        }
    }
}
