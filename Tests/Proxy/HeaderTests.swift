import Core
import Policy
import Testing

@testable import Proxy

/// What a client says about itself and what the app hears.
@Suite(.serialized)
struct HeaderTests {
    private static let key = "X-API-Key: gate_anna"

    private func seen(_ lines: [String], change: (inout Configuration) -> Void = { _ in }) async throws -> Answer {
        let harness = try await Harness(change: change)
        let answer: Answer
        do {
            answer = try await harness.get("/", [Self.key] + lines)
        } catch {
            await harness.stop()
            throw error
        }
        await harness.stop()
        #expect(answer.status == 200)
        return try #require(harness.origin.requests.first)
    }

    /// As a WSGI, CGI or PHP application would fold the name.
    private func folded(_ request: Answer) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for line in request.lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts[0].lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" }
            result[String(name), default: []].append(parts[1].drop { $0 == " " }.description)
        }
        return result
    }

    @Test func lesson01_noSpellingOfAnIdentityHeaderGetsThrough() async throws {
        let request = try await seen([
            "Remote-User: root", "remote_user: root", "REMOTE-USER: root", "Remote.User: root",
            "X_Forwarded_User: root",
            "X-Forwarded-User: root", "x-remote-groups: admins", "X-Auth-Request-Email: r@x", "Gatehouse-Assertion: x",
            "Gatehouse_Assertion: x", "X-WebAuth-User: root", "X-Client-Cert: x", "Forwarded: for=1.1.1.1",
            "X-Real-IP: 1.1.1.1", "X_Forwarded_For: 1.1.1.1", "Proxy-Authorization: x", "X-Original-URL: /admin",
            "X-Rewrite-URL: /admin", "X-HTTP-Method-Override: DELETE", "X-Gatehouse-Foo: x", "Remote~User: root",
        ])
        let headers = folded(request)
        #expect(headers["remote_user"] == ["anna"])
        #expect(headers["remote_groups"] == ["staff"])
        #expect(headers["gatehouse_assertion"] == ["signed.anna.wiki"])
        #expect(headers["x_forwarded_for"] == ["127.0.0.1"])
        for name in headers.keys {
            let ours = [
                "x_forwarded_for", "x_forwarded_proto", "x_forwarded_host", "remote_user", "remote_email",
                "remote_name", "remote_groups", "gatehouse_assertion",
            ]
            let families = [
                "remote_", "x_remote_", "x_auth_request_", "x_forwarded", "forwarded", "x_real_ip", "x_original_",
                "x_rewrite_url", "x_client_cert", "x_webauth_", "x_gatehouse_", "gatehouse_", "proxy_", "x_http_method",
            ]
            #expect(ours.contains(name) || !families.contains { name.hasPrefix($0) })
        }
    }

    @Test func lesson02_forwardedHeadersOfAnUntrustedPeerSayNothing() async throws {
        let request = try await seen([
            "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: evil", "X-Forwarded-Proto: http",
            "X-Forwarded-Uri: /public/x",
        ])
        #expect(request.all("X-Forwarded-For") == ["127.0.0.1"])
        #expect(request.all("X-Forwarded-Host") == ["wiki.example.com"])
        #expect(request.all("X-Forwarded-Proto") == ["https"])
        #expect(request.all("X-Forwarded-Uri").isEmpty)
        let harness = try await Harness()
        let answer = try await harness.get(
            "/x", ["X-Forwarded-Uri: /public/x", "X-Original-URL: https://wiki.example.com/public/x"])
        await harness.stop()
        #expect(answer.status == 401)
    }

    @Test func lesson38_theSchemeIsTheRoutesAlsoFromATrustedPeer() async throws {
        let request = try await seen(["X-Forwarded-Proto: http", "X-Forwarded-For: 203.0.113.7"]) {
            $0.trustedProxies.networks = [Network("127.0.0.0/8")!]
        }
        #expect(request.all("X-Forwarded-Proto") == ["https"])
        #expect(request.all("X-Forwarded-For") == ["203.0.113.7, 127.0.0.1"])
    }

    @Test func aTrustedPeerWithoutTheSecretIsNotTrusted() async throws {
        func configure(_ configuration: inout Configuration) {
            configuration.trustedProxies.networks = [Network("127.0.0.0/8")!]
            configuration.proxySecret = SecretBytes(copying: Array("secret".utf8))
        }
        let without = try await seen(["X-Forwarded-For: 203.0.113.7"], change: configure)
        #expect(without.all("X-Forwarded-For") == ["127.0.0.1"])
        let with = try await seen(
            ["X-Forwarded-For: 203.0.113.7", "Gatehouse-Proxy-Secret: secret"], change: configure)
        #expect(with.all("X-Forwarded-For") == ["203.0.113.7, 127.0.0.1"])
        #expect(with.all("Gatehouse-Proxy-Secret").isEmpty)
        let twice = try await seen(
            ["X-Forwarded-For: 203.0.113.7", "Gatehouse-Proxy-Secret: secret", "Gatehouse-Proxy-Secret: secret"],
            change: configure)
        #expect(twice.all("X-Forwarded-For") == ["127.0.0.1"])
    }

    @Test(arguments: [
        "Connection: Remote-User, X-Foo", "Connection: remote-user, gatehouse-assertion, x-foo",
        "Connection: close, X-Forwarded-For, X-FOO, x-forwarded-host, Via, X-Request-Id",
        "connection: keep-alive, X-Foo, Host, Content-Length",
    ])
    func lesson40_aConnectionHeaderNamesOnlyWhatIsTheClients(_ line: String) async throws {
        let request = try await seen([
            line, "X-Foo: bar", "X-Bar: kept", "Keep-Alive: timeout=5", "TE: trailers", "Upgrade: websocket",
        ])
        #expect(request.all("Remote-User") == ["anna"])
        #expect(request.all("Gatehouse-Assertion") == ["signed.anna.wiki"])
        #expect(request.all("X-Forwarded-For") == ["127.0.0.1"])
        #expect(request.all("X-Forwarded-Host") == ["wiki.example.com"])
        #expect(request.all("Host") == ["wiki.example.com"])
        #expect(request.all("X-Request-Id").count == 1)
        for name in ["X-Foo", "Connection", "Keep-Alive", "TE", "Upgrade"] { #expect(request.all(name).isEmpty) }
        #expect(request.all("X-Bar") == ["kept"])
    }

    @Test func lesson41_lettersOfAConnectionTokenHaveNoCase() async throws {
        let request = try await seen(["CONNECTION: rEMOTE-uSER, x-fOO", "X-Foo: bar"])
        #expect(request.all("Remote-User") == ["anna"])
        #expect(request.all("X-Foo").isEmpty)
    }

    @Test func lesson55_theListOfForwardedHeadersIsOurs() async throws {
        let request = try await seen(["X-Forwarded-Prefix: /evil", "X-Forwarded-Port: 1", "X-Forwarded-Server: x"])
        let names = request.lines.dropFirst().compactMap { $0.split(separator: ":").first?.lowercased() }
        #expect(
            names.filter { $0.hasPrefix("x-forwarded") }.sorted()
                == ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"])
    }

    @Test func lesson81_internalPrefixesAreTakenOffAndLogsHaveNoLineEnds() async throws {
        let request = try await seen(["X-Envoy-Original-Path: /admin", "x_envoy_internal: true"])
        #expect(!request.head.lowercased().contains("envoy"))
        let harness = try await Harness { $0.requestLog = .all }
        _ = try await harness.get("/a%0d%0aforged", [Self.key])
        _ = try await harness.get("/a?x=%0d%0aforged", [Self.key])
        await harness.stop()
        #expect(harness.log.all.allSatisfy { !$0.contains("\n") && !$0.contains("\r") })
    }

    /// `tracestate` is about the parent that it came with: where another is made there is none.
    @Test func theStateOfATraceGoesOnWithItsParentOnly() async throws {
        let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let cases = [([parent], true), (["traceparent: 00-0-0-01"], false), ([parent, parent], false), ([], false)]
        for (lines, kept) in cases {
            let request = try await seen(lines + ["tracestate: vendor=1"])
            #expect(request.all("tracestate") == (kept ? ["vendor=1"] : []), "\(lines)")
            #expect(request.all("traceparent").count == 1)
        }
    }

    @Test func configuredHeaderNamesAreReservedToo() async throws {
        var routes = Harness.routes
        routes[0].headers = try IdentityHeaders.Layout([(.user, "X-App-User")])
        let harness = try await Harness(routes: routes) { $0.reservedHeaders = ["X-Team-*"] }
        _ = try await harness.get(
            "/", [Self.key, "x_app_user: root", "X-App-User: root", "X-Team-Name: a", "X-Other: b"])
        await harness.stop()
        let request = try #require(harness.origin.requests.first)
        #expect(request.all("X-App-User") == ["anna"])
        #expect(!request.head.lowercased().contains("root"))
        #expect(request.all("X-Team-Name").isEmpty)
        #expect(request.all("X-Other") == ["b"])
    }

    @Test func answersLoseWhatConcernsOneConnectionOnly() async throws {
        let origin = Origin.answering(
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n"
                + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok")
        let harness = try await Harness(origin: origin)
        let answer = try await harness.get("/", [Self.key])
        await harness.stop()
        #expect(answer.all("X-A") == ["1"])
        #expect(answer.all("Set-Cookie") == ["a=1", "b=2"])
        for name in ["Connection", "X-Hop", "Keep-Alive", "Upgrade"] { #expect(answer.all(name).isEmpty) }
    }
}
