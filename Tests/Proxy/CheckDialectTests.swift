import Core
import Policy
import Testing

@testable import Proxy

/// `/.auth/check/{traefik,caddy,envoy,haproxy}`: what each proxy is told.
@Suite(.serialized)
struct CheckDialectTests {
    private static let key = "X-API-Key: gate_anna"
    private static let page = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    private static let identity = [
        "Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Gatehouse-Assertion",
    ]
    private static let cookie = "__Host-gatehouse"

    private func harness(
        routes: [RouteDescription] = Harness.routes, trusted: Bool = true, signerFails: Bool = false
    ) async throws -> Harness {
        try await Harness(routes: routes, signerFails: signerFails) {
            if trusted { $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init) }
        }
    }

    @Test(arguments: AskingProxy.handingOn)
    func allowedIs200WithEverythingTheAppIsTold(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await harness.ask(proxy, "/x?y=z", [Self.key, "X-Request-Id: r7"])
            #expect(answer.status == 200)
            #expect(answer.all("Remote-User") == ["anna"])
            #expect(answer.all("Remote-Groups") == ["staff"])
            #expect(answer.all("Gatehouse-Assertion") == ["signed.anna.wiki"])
            #expect(answer.all("X-Request-Id") == ["r7"])
            #expect(harness.records.allowed == ["anna"])
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test(arguments: AskingProxy.allCases)
    func lesson52_anonymousHasEveryHeaderToo(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await harness.ask(proxy, "/public/x", ["Remote-User: root", "Remote-Groups: admins"])
            #expect(answer.status == 200)
            for name in Self.identity { #expect(answer.all(name) == [""]) }
        }
    }

    @Test(arguments: AskingProxy.allCases)
    func whatIsTheAppsIsHandedBackWithoutOurs(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let mixed = try await harness.ask(
                proxy, "/public/x",
                [
                    "Cookie: a=1; \(Self.cookie)=c-anna", "Cookie: b=2", "Authorization: Bearer theirs",
                    "X-API-Key: their-own",
                ])
            #expect(mixed.all("Cookie") == ["a=1; b=2"])
            #expect(mixed.all("Authorization") == ["Bearer theirs"])
            #expect(mixed.all("X-API-Key") == ["their-own"])
            let ours = try await harness.ask(
                proxy, "/x", ["Cookie: \(Self.cookie)=c-anna", "Authorization: Bearer gate_anna", Self.key])
            #expect(ours.status == 200)
            for name in ["Cookie", "Authorization", "X-API-Key"] {
                #expect(ours.all(name) == (proxy == .traefik || proxy == .envoy ? [] : [""]))
            }
            #expect(ours.all("Gatehouse-Key") == (proxy == .traefik || proxy == .envoy ? [] : [""]))
        }
    }

    @Test func envoyIsToldWhatToTakeOut() async throws {
        func removed(_ answer: Answer) -> Set<Substring> {
            Set((answer["X-Envoy-Auth-Headers-To-Remove"] ?? "").split(separator: ","))
        }
        let preset = RouteDescription(
            name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.everyone))],
            headers: .preset(.xForwarded))
        try await withHarness(try await harness(routes: [preset])) { harness in
            let none = removed(try await harness.ask(.envoy, "/x"))
            #expect(none.isSuperset(of: ["cookie", "authorization", "x-api-key", "gatehouse-key", "remote-user"]))
            // It would take out what it has just put in.
            #expect(none.isDisjoint(with: ["x-forwarded-user", "x-forwarded-groups", "gatehouse-assertion"]))
            let some = removed(try await harness.ask(.envoy, "/x", ["Cookie: a=1", "Authorization: Basic eDp5"]))
            #expect(some.isDisjoint(with: ["cookie", "authorization"]) && some.contains("x-api-key"))
        }
    }

    @Test(arguments: AskingProxy.handingOn)
    func programsAreRefusedByStatus(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let store = proxy == .envoy ? 403 : 503
            let cases: [(String, String, [String], Int, String)] = [
                ("wiki.example.com", "/", [], 401, "sign_in_required"),
                ("wiki.example.com", "/", ["X-API-Key: gate_nobody"], 401, "credential_unknown"),
                ("wiki.example.com", "/", ["X-API-Key: gate_nobody"] + Self.page, 401, "credential_unknown"),
                ("wiki.example.com", "/", ["X-API-Key: gate_store"], store, "store_unavailable"),
                ("wiki.example.com", "/admin/", [Self.key], 403, "group_missing"),
                ("wiki.example.com", "/%61dmin/", [Self.key], 403, "group_missing"),
                ("other.example.com", "/", [Self.key], 403, "no_route"),
                ("other.example.com", "/", Self.page, 403, "no_route"),
                ("wiki.example.com", "/", [Self.key, "Gatehouse-Key: gate_bert"], 400, "credentials_disagree"),
                ("wiki.example.com", "//x", [Self.key], 400, "path_refused"),
                ("wiki.example.com", "/a%2fb", [Self.key], 400, "path_refused"),
            ]
            for (host, target, lines, status, reason) in cases {
                let answer = try await harness.ask(proxy, "GET", host, target, lines)
                #expect(answer.status == status, "\(target) \(lines)")
                #expect(answer["Gatehouse-Reason"] == reason)
                #expect(answer["X-Request-Id"] != nil && answer["Location"] == nil)
                #expect(answer.body.count < 2048)
                if proxy == .haproxy { #expect(answer["Content-Length"] == "0") }
                if status == 401 { #expect(answer["WWW-Authenticate"]?.hasPrefix("Bearer") == true) }
            }
        }
    }

    @Test(arguments: AskingProxy.handingOn)
    func peopleAreSentOn(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let login = try await harness.ask(proxy, "/page?a=b&c", Self.page)
            #expect(login.status == 303)
            #expect(
                login["Location"]
                    == "https://auth.example.com/.auth/login?return_to=https%3A%2F%2Fwiki.example.com%2Fpage%3Fa%3Db%26c"
            )
            #expect(login["Gatehouse-Reason"] == "sign_in_required" && login.body.isEmpty)
            #expect(login["Cache-Control"] == "no-store")
            let denied = try await harness.ask(
                proxy, "/admin/x", Self.page + ["Cookie: \(Self.cookie)=c-anna", "X-Request-Id: r9"])
            #expect(denied.status == 303)
            #expect(denied["Location"] == "https://auth.example.com/.auth/denied?request=r9")
            // A page that posts is none to come back to.
            let post = try await harness.ask(proxy, "POST", "wiki.example.com", "/page", Self.page)
            #expect(post.status == 401 && post["Location"] == nil)
        }
    }

    @Test(arguments: AskingProxy.allCases)
    func aStrangerFindsNothingThere(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness(trusted: false)) { harness in
            let answer = try await harness.ask(proxy, "/public/x", [Self.key])
            #expect(answer.status == 404 && answer.all("Remote-User").isEmpty)
            #expect(harness.log.contains("trusted_proxies: [127.0.0.1/32]"))
        }
    }

    @Test(
        arguments: [AskingProxy.traefik, .caddy, .haproxy],
        ["X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"])
    func lesson12_aDescriptionThatIsMissingIsNever2xx(_ proxy: AskingProxy, _ name: String) async throws {
        try await withHarness(try await harness()) { harness in
            let lines = proxy.question("GET", "wiki.example.com", "/public/x").split(separator: "\r\n")
            for broken in ["", "\(name):\r\n", "\(name): \r\n"] {
                let rest = lines.filter { !$0.hasPrefix("\(name):") }.map { "\($0)\r\n" }.joined()
                let answer = try await harness.send(rest + broken + "\r\n", hasBody: proxy != .haproxy)
                #expect(answer.status == 400)
                #expect(answer["Gatehouse-Reason"] == "description_missing")
            }
        }
    }

    @Test(arguments: [AskingProxy.traefik, .caddy, .haproxy])
    func lesson12_aDescriptionThatIsNoneIsMissing(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            for (method, target, status, reason) in [
                ("G T", "/public/x", 400, "description_missing"), ("GET", "x", 400, "description_missing"),
                ("OPTIONS", "*", 400, "description_missing"), ("GET", "*", 400, "description_missing"),
                ("GET", "https://wiki.example.com/public/x", 400, "description_missing"),
                ("GET", "http:///x", 400, "description_missing"), ("TRACE", "/public/x", 405, "method_refused"),
                ("GET", "/public/../x", 400, "path_refused"),
                ("GET", "/" + String(repeating: "a", count: 9000), 414, "too_large"),
            ] {
                let answer = try await harness.ask(proxy, method, "wiki.example.com", target)
                #expect(
                    answer.status == status && answer["Gatehouse-Reason"] == reason, "\(method) \(target.prefix(40))")
            }
        }
    }

    @Test(arguments: AskingProxy.handingOn)
    func cookiesThatDisagreeSendAPersonToSignIn(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let two = ["Cookie: \(Self.cookie)=c-anna; \(Self.cookie)=c-bert"]
            let person = try await harness.ask(proxy, "/x", two + Self.page)
            #expect(person.status == 303 && person["Gatehouse-Reason"] == "credentials_disagree")
            #expect(person["Location"]?.hasPrefix("https://auth.example.com/.auth/login?return_to=") == true)
            let program = try await harness.ask(proxy, "/x", two)
            #expect(program.status == 401 && program["Gatehouse-Reason"] == "credentials_disagree")
            #expect(program["Location"] == nil)
        }
    }

    @Test(
        arguments: AskingProxy.handingOn,
        [
            "X_Forwarded_Uri: /admin", "X-Original-URL: https://wiki.example.com/admin", "X-Original-URL: /admin",
            "X-Rewrite-URL: /admin", "X_Forwarded_Host: evil.example.com", "X-Original-Method: POST",
            "X_Forwarded_Method: POST", "X_Forwarded_For: 10.0.0.1", "X-Forwarded-Uri: /admin",
            "X-Forwarded-Host: evil.example.com", "X-Forwarded-Method: DELETE", "X-Original-URI: ",
            "Forwarded: host=evil.example.com", "X-HTTP-Method-Override: DELETE",
        ])
    func lesson54_anotherSourceThatSaysSomethingElseIsRefused(_ proxy: AskingProxy, _ line: String) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await harness.ask(proxy, "/public/x", [line])
            #expect(answer.status == 400)
            #expect(answer["Gatehouse-Reason"] == "description_conflict")
        }
    }

    /// What is said of the scheme, of a port or of a prefix changes nothing.
    @Test(
        arguments: AskingProxy.allCases,
        ["X-Forwarded-Prefix: /public", "X-Forwarded-Port: 8443", "X-Forwarded-Proto: http", "X-Forwarded-Server: x"])
    func lesson55_otherForwardingHeadersAreNotRead(_ proxy: AskingProxy, _ line: String) async throws {
        try await withHarness(try await harness()) { harness in
            #expect(try await harness.ask(proxy, "/x", [line]).status == 401)
            #expect(try await harness.ask(proxy, "/public/x", [line]).status == 200)
            let page = try await harness.ask(proxy, "/x", [line] + Self.page)
            #expect(page["Location"]?.hasSuffix("return_to=https%3A%2F%2Fwiki.example.com%2Fx") == true)
        }
    }

    @Test func envoysPathIsWhatFollowsThePrefix() async throws {
        try await withHarness(try await harness()) { harness in
            for (path, status) in [
                ("/.auth/check/envoy", 400), ("/.auth/check/envoy/", 401), ("/.auth/check/envoy?a", 400),
                ("/.auth/check/envoy//public/x", 400), ("/.auth/check/envoyx/public/x", 404),
                ("/.auth/check/envoy/../caddy/public/x", 400), ("/.auth/check/envoy/public/x?route=none", 200),
                ("/.auth/check/envoy/%2e%2e/x", 400), ("/.auth/check/envoy/public/..;/x", 400),
            ] {
                let answer = try await harness.get(path)
                #expect(answer.status == status, "\(path)")
            }
            let post = try await harness.send(
                "POST /.auth/check/envoy/public/x HTTP/1.1\r\nHost: wiki.example.com\r\nContent-Length: 0\r\n\r\n")
            #expect(post.status == 200)
            let trace = try await harness.send(Harness.request("TRACE", "/.auth/check/envoy/public/x"))
            #expect(trace.status == 405)
        }
    }

    @Test func aRouteMayBeNamedWhereTheQueryIsTheOperators() async throws {
        let routes = [
            RouteDescription(
                name: "by label", paths: ["/app/**"],
                rules: [
                    RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])])), paths: ["/app/admin/**"]),
                    RuleDescription(.allow(.everyone)),
                ]),
            RouteDescription(name: "rest", rules: [RuleDescription(.deny(.everyone))]),
        ]
        try await withHarness(try await harness(routes: routes)) { harness in
            for proxy in [AskingProxy.nginx, .traefik, .haproxy] {
                func status(_ target: String, _ query: String) async throws -> Int {
                    try await harness.ask(proxy, "GET", "any.example.com", target, query: query).status
                }
                #expect(try await status("/app/x", "?route=by%20label") == 200)
                #expect(try await status("/app/x", "?other=1&route=by%20label") == 200)
                #expect(try await status("/app/x", "?route=rest") == 403)
                #expect(try await status("/app/admin/x", "?route=by%20label") == 401)
                #expect(try await status("/app/%61dmin/x", "?route=by%20label") == 401)
                // One of its readings is another path.
                #expect(try await status("/app;a/admin", "?route=by%20label") == 403)
                // It does not take that path, and no other route answers in its place.
                #expect(try await status("/x", "?route=by%20label") == 403)
                for query in [
                    "?route=none", "?route=", "?route", "?route=rest&route=by%20label", "?route=by+label",
                    "?route=%zz", "?route=by%20label%00", "?route=By%20label",
                ] {
                    #expect([400, 403].contains(try await status("/app/x", query)), "\(proxy) \(query)")
                }
            }
            for proxy in [AskingProxy.caddy, .envoy] {
                let answer = try await harness.ask(proxy, "GET", "any.example.com", "/x?route=by%20label")
                #expect(answer.status == 403)
            }
            // Caddy's endpoint gets the client's own query.
            let answer = try await harness.ask(.caddy, "GET", "any.example.com", "/x", query: "?route=by%20label")
            #expect(answer.status == 403)
        }
    }

    @Test(arguments: AskingProxy.allCases)
    func aWebSocketByCookieComesFromAPageOfItsHost(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness()) { harness in
            let socket = ["Cookie: \(Self.cookie)=c-anna", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
            for (lines, status) in [
                (["Origin: https://wiki.example.com"], 200), (["Origin: https://evil.example.com"], 401), ([], 401),
                (["Origin: null"], 401), (["Origin: http://wiki.example.com"], 401),
                (["Connection: Upgrade", "Upgrade: websocket", "Origin: https://evil.example.com"], 401),
                (["Connection: Upgrade", "Upgrade: websocket", "Origin: https://wiki.example.com"], 200),
            ] {
                let answer = try await harness.ask(proxy, "/x", socket + lines)
                #expect(answer.status == status, "\(lines)")
            }
            let byKey = try await harness.ask(proxy, "/x", [Self.key, socket[1]])
            #expect(byKey.status == 200)
        }
    }

    @Test(arguments: AskingProxy.handingOn)
    func whatCannotBeSignedIsRefused(_ proxy: AskingProxy) async throws {
        try await withHarness(try await harness(signerFails: true)) { harness in
            let answer = try await harness.ask(proxy, "/", [Self.key])
            #expect(answer.status == (proxy == .envoy ? 403 : 503))
            #expect(answer.all("Remote-User").isEmpty)
        }
    }
}
