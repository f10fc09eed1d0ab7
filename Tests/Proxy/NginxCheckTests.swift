import Core
import Policy
import Testing

@testable import Proxy

/// `/.auth/check/nginx`: the same verdicts, described by a proxy.
@Suite(.serialized)
struct NginxCheckTests {
    private static let key = "X-API-Key: gate_anna"

    private func harness(
        routes: [RouteDescription] = Harness.routes, trusted: Bool = true, signerFails: Bool = false,
        change: (inout Configuration) -> Void = { _ in }
    ) async throws -> Harness {
        try await Harness(routes: routes, signerFails: signerFails) {
            if trusted { $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init) }
            change(&$0)
        }
    }

    private func ask(
        _ harness: Harness, _ url: String?, method: String? = "GET", _ lines: [String] = [],
        path: String = "/.auth/check/nginx"
    ) async throws -> Answer {
        var all = ["X-Forwarded-For: 203.0.113.7"] + lines
        if let url { all.append("X-Original-URL: \(url)") }
        if let method { all.append("X-Original-Method: \(method)") }
        return try await harness.get(path, all, host: "gatehouse.internal")
    }

    @Test func allowedIs200WithEverythingTheAppIsTold() async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await ask(
                harness, "https://wiki.example.com/x?y=z", [Self.key, "Cookie: a=1", "Cookie: b=2", "X-Request-Id: r7"])
            #expect(answer.status == 200)
            #expect(answer.all("Remote-User") == ["anna"])
            #expect(answer.all("Remote-Email") == ["anna@example.com"])
            #expect(answer.all("Remote-Name") == ["Anna"])
            #expect(answer.all("Remote-Groups") == ["staff"])
            #expect(answer.all("Gatehouse-Assertion") == ["signed.anna.wiki"])
            #expect(answer.all("Cookie") == ["a=1; b=2"])
            #expect(answer.all("Authorization") == [""])
            #expect(answer.all("X-API-Key") == [""])
            #expect(answer.all("X-Request-Id") == ["r7"])
            #expect(answer.all("Gatehouse-Reason").isEmpty)
            #expect(harness.records.allowed == ["anna"])
            #expect(harness.origin.requests.isEmpty)
        }
    }

    @Test func lesson52_anonymousHasEveryHeaderToo() async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await ask(
                harness, "https://wiki.example.com/public/x",
                ["Authorization: Bearer theirs", "X-API-Key: their-own", "Remote-User: root"])
            #expect(answer.status == 200)
            for name in ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Gatehouse-Assertion"] {
                #expect(answer.all(name) == [""])
            }
            #expect(answer.all("Authorization") == ["Bearer theirs"])
            #expect(answer.all("X-API-Key") == ["their-own"])
        }
    }

    @Test func refusalsAre401Or403() async throws {
        try await withHarness(try await harness()) { harness in
            let cases: [(String, [String], Int, String)] = [
                ("https://wiki.example.com/", [], 401, "sign_in_required"),
                ("https://wiki.example.com/", ["X-API-Key: gate_nobody"], 401, "credential_unknown"),
                ("https://wiki.example.com/", ["X-API-Key: gate_store"], 403, "store_unavailable"),
                ("https://wiki.example.com/", ["X-API-Key: gate_bert"], 403, "group_missing"),
                ("https://wiki.example.com/admin/", [Self.key], 403, "group_missing"),
                ("https://other.example.com/", [Self.key], 403, "no_route"),
                ("https://wiki.example.com/", [Self.key, "Gatehouse-Key: gate_bert"], 403, "credentials_disagree"),
                ("https://wiki.example.com/public/../admin", [Self.key], 403, "path_refused"),
                ("https://wiki.example.com//x", [Self.key], 403, "path_refused"),
                ("https://wiki.example.com/a%2fb", [Self.key], 403, "path_refused"),
            ]
            for (url, lines, status, reason) in cases {
                let answer = try await ask(harness, url, lines)
                #expect(answer.status == status)
                #expect(answer["Gatehouse-Reason"] == reason)
                #expect(answer["X-Request-Id"] != nil)
            }
        }
    }

    @Test(arguments: [
        nil, "", "/x", "wiki.example.com/public/x", "https://", "https:///public/x", "ftp://wiki.example.com/public/x",
        "https://user@wiki.example.com/public/x", "https://wiki.example.com:99999/public/x", "*",
        "https://wiki.example.com",
        "https://[::1/public/x", "https://wiki.example.com\\@evil/public/x", "https://wiki.exa mple.com/public/x",
    ])
    func lesson12_aDescriptionThatCannotBeReadIsNever2xx(_ url: String?) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await ask(harness, url)
            #expect(answer.status == 401 || answer.status == 403 || answer.status == 400)
            #expect(harness.records.allowed.isEmpty)
        }
    }

    /// What names no host and path is no description; a path that is one and may not be asked for is refused as such.
    @Test func aDescriptionThatIsNoneIsMissing() async throws {
        try await withHarness(try await harness()) { harness in
            for url in [
                "/x", "wiki.example.com/public/x", "https://", "https:///public/x", "http:///x", "*",
                "ftp://wiki.example.com/public/x", "https://user@wiki.example.com/public/x",
                "https://wiki.example.com:99999/public/x", "https://wiki.example.com:x/",
            ] {
                let answer = try await ask(harness, url)
                #expect(answer.status == 403 && answer["Gatehouse-Reason"] == "description_missing", "\(url)")
            }
            for method in ["G ET", "GET,POST", "", String(repeating: "G", count: 65)] {
                let answer = try await ask(harness, "https://wiki.example.com/public/x", method: method)
                #expect(answer.status == 403 && answer["Gatehouse-Reason"] == "description_missing", "\(method)")
            }
            for method in ["TRACE", "connect"] {
                let answer = try await ask(harness, "https://wiki.example.com/public/x", method: method)
                #expect(answer.status == 403 && answer["Gatehouse-Reason"] == "method_refused")
            }
            let path = String(repeating: "a", count: 9000)
            let long = try await ask(harness, "https://wiki.example.com/\(path)")
            #expect(long.status == 403 && long["Gatehouse-Reason"] == "too_large")
        }
    }

    /// Two cookies of different sessions: a person is sent to sign in, a program is refused.
    @Test func cookiesThatDisagreeSendAPersonToSignIn() async throws {
        try await withHarness(try await harness()) { harness in
            let two = ["Cookie: __Host-gatehouse=c-anna; __Host-gatehouse=c-bert"]
            let page = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
            let person = try await ask(harness, "https://wiki.example.com/x", two + page)
            #expect(person.status == 401 && person["Gatehouse-Reason"] == "credentials_disagree")
            #expect(person["Location"]?.hasPrefix("https://auth.example.com/.auth/login?return_to=") == true)
            let program = try await ask(harness, "https://wiki.example.com/x", two)
            #expect(program.status == 401 && program["Location"] == nil)
            #expect(program["Gatehouse-Reason"] == "credentials_disagree")
            let inline = try await harness.get("/x", two + page)
            #expect(inline.status == 303 && inline["Gatehouse-Reason"] == "credentials_disagree")
            #expect(try await harness.get("/x", two).status == 401)
        }
    }

    @Test(arguments: [nil, "", "G ET", "TRACE", "CONNECT", "GET,POST"])
    func aMethodThatIsNoneIsRefused(_ method: String?) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await ask(harness, "https://wiki.example.com/public/x", method: method)
            #expect(answer.status == 403)
        }
    }

    @Test(arguments: [
        "X_Original_URL: https://wiki.example.com/admin", "X-Original-URL: https://wiki.example.com/other",
        "X-Forwarded-Uri: /other", "x_forwarded_uri: /other", "X-Rewrite-URL: /other", "X-Original-URI: /other",
        "X-Forwarded-Host: evil.example.com", "X_Forwarded_Host: evil", "X-Forwarded-Method: POST",
        "x-original_method: POST", "X-Original-Method: POST", "X_Forwarded_For: 10.0.0.1", "X-Forwarded-Uri: ",
        "X-Original-Host: evil", "Forwarded: host=evil.example.com", "X-HTTP-Method-Override: DELETE",
        "X_HTTP_Method: PUT", "x-method-override: PATCH", "Forwarded: for=1.2.3.4, for=\"a;b\";HOST = \"evil\"",
        "Forwarded: for=\"1.2.3.4;host=wiki.example.com",
    ])
    func lesson54_anotherSourceThatSaysSomethingElseIsRefused(_ line: String) async throws {
        try await withHarness(try await harness()) { harness in
            let answer = try await ask(harness, "https://wiki.example.com/public/x", [line])
            #expect(answer.status == 403)
            #expect(answer["Gatehouse-Reason"] == "description_conflict")
            #expect(harness.log.contains("description_conflict"))
        }
    }

    @Test(arguments: [
        "X-Forwarded-Uri: /public/x", "X-Forwarded-Uri: /public/x?other=query",
        "X-Forwarded-Host: WIKI.example.com:443",
        "X-Original-Method: GET", "X-Forwarded-Proto: http", "X-Original-URL: https://wiki.example.com/public/x",
        "Forwarded: for=1.2.3.4;host=\"WIKI.example.com:443\";proto=https, for=5.6.7.8", "Forwarded: for=host",
        "Forwarded: for=\"a,host=evil\"", "X-HTTP-Method-Override: get", "X-HTTP-Method:", "Forwarded:",
    ])
    func anotherSourceThatSaysTheSameIsNoHarm(_ line: String) async throws {
        try await withHarness(try await harness()) { harness in
            do {
                let value = try await ask(harness, "https://wiki.example.com/public/x", [line]).status
                #expect(value == 200)
            }
        }
    }

    @Test func aStrangerFindsNothingThereAndTheLogSaysWhatToAdd() async throws {
        try await withHarness(try await harness(trusted: false)) { harness in
            let answer = try await ask(harness, "https://wiki.example.com/public/x", [Self.key])
            #expect(answer.status == 404)
            #expect(harness.log.contains("trusted_proxies: [127.0.0.1/32]"))
        }
    }

    @Test func theSecretIsNeededWhereThereIsOne() async throws {
        let harness = try await harness { $0.proxySecret = SecretBytes(copying: Array("s3cret".utf8)) }
        try await withHarness(harness) { harness in
            for line in [
                "X-A: b", "Gatehouse-Proxy-Secret: s3cres", "Gatehouse-Proxy-Secret: ",
                "Gatehouse_Proxy_Secret: s3cret",
            ] {
                do {
                    let value = try await ask(harness, "https://wiki.example.com/public/x", [line]).status
                    #expect(value == 404)
                }
            }
            let answer = try await ask(harness, "https://wiki.example.com/public/x", ["Gatehouse-Proxy-Secret: s3cret"])
            #expect(answer.status == 200)
        }
    }

    @Test func theMethodAndTheClientOfTheDescriptionAreJudged() async throws {
        let routes = [
            RouteDescription(
                name: "wiki", hosts: ["wiki.example.com"],
                rules: [
                    RuleDescription(.allow(.everyone), preflight: true),
                    RuleDescription(.allow(.everyone), methods: ["POST"], networks: [Network("203.0.113.0/24")!]),
                ])
        ]
        try await withHarness(try await harness(routes: routes)) { harness in
            let url = "https://wiki.example.com/x"
            do {
                let value = try await ask(harness, url, method: "POST").status
                #expect(value == 200)
            }
            do {
                let value = try await ask(harness, url, method: "GET").status
                #expect(value == 403)
            }
            let lines = ["Origin: https://a", "Access-Control-Request-Method: PUT"]
            do {
                let value = try await ask(harness, url, method: "OPTIONS", lines).status
                #expect(value == 200)
            }
            do {
                let value = try await ask(harness, url, method: "OPTIONS", [lines[0]]).status
                #expect(value == 403)
            }
            do {
                let value = try await ask(harness, url, method: "POST", ["X-Forwarded-For: 198.51.100.1"]).status
                #expect(value == 403)
            }
            do {
                let value = try await ask(harness, url, method: "POST", ["X-Forwarded-For: a"]).status
                #expect(value == 403)
            }
        }
    }

    @Test func whatCannotBeSignedIs403() async throws {
        try await withHarness(try await harness(signerFails: true)) { harness in
            let answer = try await ask(harness, "https://wiki.example.com/", [Self.key])
            #expect(answer.status == 403)
            #expect(answer.all("Remote-User").isEmpty)
        }
    }

    @Test func otherNamesBelowCheckAreNothing() async throws {
        try await withHarness(try await harness()) { harness in
            for path in [
                "/.auth/check", "/.auth/check/", "/.auth/check/nginx/", "/.auth/check/traefik/", "/.auth/check/nginx2",
                "/.auth/check/Nginx", "/.auth/check/skipper", "/.auth/check/envoyx", "/.auth/check/caddy/x",
            ] {
                let answer = try await ask(harness, "https://wiki.example.com/public/x", [Self.key], path: path)
                #expect(answer.status == 404)
            }
        }
    }

    /// Random descriptions, whole and broken: 200 never comes without an allow verdict, and nothing but 200, 401, 403
    /// comes once the request itself is one.
    @Test func randomDescriptionsPassOnlyWithAnAllowVerdict() async throws {
        try await withHarness(try await harness()) { harness in
            var random = SeededGenerator(seed: 12)
            let client = try harness.connect()
            func pick(_ values: [String]) -> String { values.randomElement(using: &random)! }
            for _ in 0..<1500 {
                let path = pick([
                    "/public/x", "/admin/x", "/x", "/public/%2e%2e/x", "/public/;a", "//", "", "/%61dmin/", "/admin;/x",
                    "/public/a%2fb", "/\u{7f}",
                ])
                let url =
                    pick(["https://", "http://", "", "HTTPS://", "x"])
                    + pick([
                        "wiki.example.com", "WIKI.example.com.", "other", "", "wiki.example.com:443",
                        "a@wiki.example.com",
                    ]) + path
                var lines = [
                    "X-Original-URL: \(url)", "X-Original-Method: \(pick(["GET", "POST", "", "get", "TRACE", "A B"]))",
                ]
                if Bool.random(using: &random) {
                    lines.append("X-API-Key: \(pick(["gate_anna", "gate_bert", "gate_x", "y", ""]))")
                }
                if Bool.random(using: &random) {
                    lines.append(
                        pick([
                            "X-Forwarded-Uri: /public/x", "X_Original_URL: /", "X-Forwarded-For: a",
                            "Gatehouse-Key: gate_anna", "X-Forwarded-Host: wiki.example.com",
                        ]))
                }
                lines.shuffle(using: &random)
                if Int.random(in: 0..<10, using: &random) == 0 { lines.removeFirst() }
                // Control bytes in a value are refused before all this.
                guard !url.contains("\u{7f}") else { continue }
                let before = harness.records.allowed.count
                try await client.write(Harness.request("GET", "/.auth/check/nginx", lines, host: "internal"))
                let answer = try await client.readAnswer()
                #expect([200, 401, 403].contains(answer.status))
                if answer.status == 200 {
                    let isPublic = url.contains("/public/")
                    let byKey = harness.records.allowed.count == before + 1
                    #expect(isPublic || byKey)
                    #expect(answer.all("Remote-User") == [byKey ? harness.records.allowed.last ?? "-" : ""])
                    #expect(!url.contains("dmin"))
                }
            }
        }
    }
}
