import Core
import Policy
import Testing

@testable import Proxy

/// Random questions to every dialect. Whatever a client adds, whatever a proxy makes of it: a 2xx comes only with an
/// allow verdict for exactly the request that the proxy forwards, which is the one that its own fields describe.
@Suite(.serialized)
struct CheckPropertyTests {
    private static let routes = [
        RouteDescription(
            name: "wiki", hosts: ["wiki.example.com"],
            rules: [
                RuleDescription(.allow(.everyone), paths: ["/public/**"]),
                RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])])), paths: ["/admin/**"]),
                RuleDescription(
                    .allow(.everyone), paths: ["/office/**"], networks: ["10.0.0.0/8"].compactMap(Network.init)),
                RuleDescription(.allow(.anyOf([Conditions(groups: ["staff"])])), methods: ["GET", "POST"]),
                RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])]))),
            ]),
        RouteDescription(
            name: "slashes", hosts: ["slashes.example.com"],
            rules: [
                RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])])), paths: ["/admin/**"]),
                RuleDescription(.allow(.everyone)),
            ], keepInPath: [.encodedSlash, .emptySegment]),
    ]

    /// What a client may ask for and add.
    private struct Asked {
        var method: String
        var host: String
        var target: String
        var lines: [String]
    }

    private static func asked(_ random: inout SeededGenerator) -> Asked {
        func pick(_ values: [String]) -> String { values.randomElement(using: &random) ?? "" }
        let segments = [
            "public", "admin", "office", "x", "%61dmin", "ADMIN", "..", "%2e%2e", ".", ";a", "..;a", "admin;b", "%2f",
            "a%2fb", "", "%00", "%zz", "\\", "%5c", "a#b", "%252e", "%c3%a9", "é", "%23", "%3f", " ", "\u{7f}", "*",
            "~",
        ]
        var target = ""
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            target +=
                "/"
                + (Int.random(in: 0..<4, using: &random) > 0
                    ? pick(["public", "public", "admin", "x", "office"]) : pick(segments))
        }
        if target.isEmpty { target = pick(["/", "", "*", "public", "https://wiki.example.com/public/x", "//"]) }
        if Int.random(in: 0..<6, using: &random) == 0 {
            target += pick(["?a=b", "?", "?/admin", "?a#b", "?route=wiki"])
        }
        if Int.random(in: 0..<200, using: &random) == 0 { target += String(repeating: "a/", count: 4200) }
        var lines: [String] = []
        let credentials = [
            "X-API-Key: gate_anna", "X-API-Key: gate_bert", "Authorization: Bearer gate_anna",
            "Gatehouse-Key: gate_anna",
            "Cookie: __Host-gatehouse=c-anna", "Cookie: __Host-gatehouse=gone; a=b", "X-API-Key: gate_store",
            "Gatehouse-Key: gate_bert", "Authorization: Basic \u{0}", "Cookie: ;;=;\u{1}", "X-API-Key: ",
            "Authorization: Bearer \(Sample.foreignToken)",
        ]
        if Bool.random(using: &random) {
            lines.append("X-API-Key: gate_anna")
        } else {
            for _ in 0..<Int.random(in: 0...2, using: &random) { lines.append(pick(credentials)) }
        }
        let names = [
            "X-Forwarded-Uri", "X_Forwarded_Uri", "x-forwarded-uri", "X-Original-URL", "X_Original_URL",
            "X-Original-URI",
            "X-Rewrite-URL", "X-Forwarded-Host", "X_Forwarded_Host", "X-Original-Host", "X-Forwarded-Method",
            "X-Original-Method", "X.Forwarded.Method", "X-Forwarded-For", "X_Forwarded_For", "Forwarded", "Remote-User",
            "Gatehouse-Proxy-Secret", "X-Forwarded-Proto", "X-HTTP-Method-Override", "Connection",
        ]
        let values = [
            "/public/x", "/admin/x", "https://wiki.example.com/public/x", "GET", "POST", "wiki.example.com",
            "WIKI.example.com.", "slashes.example.com", "10.0.0.1", "", " ", "\u{0}", "é", "close", "X-Forwarded-Uri",
            String(repeating: "v", count: 9000), "/public/x, /admin/x", target,
        ]
        for _ in 0..<Int.random(in: 0...2, using: &random) where Bool.random(using: &random) {
            lines.append("\(pick(names)): \(pick(values))")
        }
        let isPlain = Int.random(in: 0..<3, using: &random) > 0
        return Asked(
            method: isPlain
                ? pick(["GET", "POST", "HEAD"]) : pick(["OPTIONS", "get", "DELETE", "TRACE", "A B", "", "M\u{e9}"]),
            host: Int.random(in: 0..<3, using: &random) > 0
                ? "wiki.example.com"
                : pick([
                    "slashes.example.com", "WIKI.EXAMPLE.COM.", "wiki.example.com:443", "other.example.com", "",
                    "wiki.example.com, x", "a@wiki.example.com", "[::1", "wiki.example.com:99999",
                    "wiki..example.com",
                ]), target: target, lines: lines)
    }

    /// What the client's lines are once the proxy has put its own in their place.
    private static func kept(_ lines: [String], by proxy: AskingProxy) -> [String] {
        lines.filter { line in
            !proxy.replaces.contains(line.prefix { $0 != ":" }.lowercased())
        }
    }

    @Test(arguments: AskingProxy.allCases)
    func lesson47_a2xxComesOnlyWithAnAllowVerdictForTheRequestThatIsForwarded(_ proxy: AskingProxy) async throws {
        let harness = try await Harness(routes: Self.routes) {
            $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init)
        }
        try await withHarness(harness) { harness in
            var random = SeededGenerator(seed: 54)
            var passed = 0
            var refused = 0
            for _ in 0..<700 {
                let asked = Self.asked(&random)
                // Every third time the proxy hands on what it should have replaced.
                let isCareless = Int.random(in: 0..<3, using: &random) == 0
                let lines = isCareless ? asked.lines : Self.kept(asked.lines, by: proxy)
                let question = proxy.question(asked.method, asked.host, asked.target, lines)
                let isHead = proxy == .haproxy || proxy == .envoy && asked.method == "HEAD"
                let check = try await harness.send(question, hasBody: !isHead)
                if proxy == .nginx { #expect([200, 400, 401, 403, 405, 414, 431].contains(check.status)) }
                guard (200..<300).contains(check.status) else {
                    refused += 1
                    continue
                }
                passed += 1
                // A URL without a path is one with `/`.
                let target = proxy == .nginx && !asked.target.hasPrefix("/") ? "/" + asked.target : asked.target
                let before = harness.origin.requests.count
                let inline = try await harness.send(
                    Harness.request(
                        asked.method, target, ["X-Forwarded-For: 203.0.113.7"] + lines, host: asked.host),
                    hasBody: asked.method != "HEAD")
                #expect(inline.status == 200, "\(question)")
                let seen = harness.origin.requests.dropFirst(before).first
                #expect(seen?["Remote-User"] == check["Remote-User"], "\(question)")
                #expect(seen?["Remote-Groups"] == check["Remote-Groups"])
                #expect(seen?["Authorization"] ?? "" == check["Authorization"] ?? "")
                #expect(seen?["X-API-Key"] ?? "" == check["X-API-Key"] ?? "")
            }
            #expect(passed > 40 && refused > 40, "\(passed) passed, \(refused) refused")
        }
    }

    /// Without anything added: both shapes come to the same.
    @Test(arguments: AskingProxy.allCases)
    func whatPassesInlinePassesTheCheck(_ proxy: AskingProxy) async throws {
        let harness = try await Harness(routes: Self.routes) {
            $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init)
        }
        try await withHarness(harness) { harness in
            for target in [
                "/public/x", "/public/;a/b?c", "/x", "/admin/x", "/%61dmin/x", "/office/x", "/public/%23",
                "/public/a%20b",
            ] {
                for method in ["GET", "POST", "DELETE", "PROPFIND"] {
                    for key in [["X-API-Key: gate_anna"], ["X-API-Key: gate_bert"], []] {
                        let inline = try await harness.send(
                            Harness.request(method, target, key + ["X-Forwarded-For: 203.0.113.7"]))
                        let check = try await harness.ask(proxy, method, "wiki.example.com", target, key)
                        #expect((inline.status == 200) == (check.status == 200), "\(method) \(target) \(key)")
                    }
                }
            }
        }
    }
}
