import Core
import Policy
import Testing

@Suite struct HostTests {
    static let snapshot = Snapshot.many([
        RouteDescription(name: "exact", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.signedIn))]),
        RouteDescription(name: "deep", hosts: ["*.in.example.com"], rules: [RuleDescription(.allow(.everyone))]),
        RouteDescription(name: "idna", hosts: ["Bücher.example"], rules: [RuleDescription(.allow(.everyone))]),
        RouteDescription(name: "v6", hosts: ["[0:0::1]"], rules: [RuleDescription(.allow(.everyone))]),
        RouteDescription(name: "wild", hosts: ["*.example.com"], rules: [RuleDescription(.allow(.everyone))]),
        RouteDescription(name: "any", paths: ["/any/**"], rules: [RuleDescription(.allow(.everyone))]),
    ])

    private func route(_ host: String, _ path: String = "/") -> String? {
        Self.snapshot.answer(path, host: host).route
    }

    @Test(arguments: [
        "wiki.example.com", "WIKI.Example.COM", "wiki.example.com.", "wiki.example.com:443", "wiki.example.com.:8443",
        "wiki.example.com:",
    ])
    func lesson15_hostsAreComparedInOneForm(_ host: String) {
        #expect(route(host) == "exact")
        #expect(Self.snapshot.says("/", host: host) == "sign_in sign_in_required")
    }

    @Test func lesson22_lesson23_hostsAreComparedWhole() {
        #expect(route("wikiXexample.com") == nil)
        #expect(route("wiki.example.com.evil.tld") == nil)
        #expect(route("evilexample.com") == nil)
        #expect(route("example.com") == nil, "a wildcard does not take the name itself")
        #expect(route("notwiki.example.com") == "wild")
    }

    @Test func wildcardsAndOrder() {
        #expect(route("a.example.com") == "wild")
        #expect(route("a.b.example.com") == "wild")
        #expect(route("a.in.example.com") == "deep")
        #expect(route("A.B.IN.example.com.:80") == "deep")
        #expect(route("in.example.com") == "wild")
        #expect(route("else.test", "/any/x") == "any")
        #expect(route("else.test") == nil)
        #expect(route("a.in.example.com", "/any/x") == "deep")
        #expect(route("", "/any") == "any", "no Host: only a route for any host")
        #expect(route("", "/") == nil)
    }

    @Test func namesOutsideASCII() {
        #expect(route("xn--bcher-kva.example") == "idna")
        #expect(route("XN--BCHER-KVA.example") == "idna")
        #expect(route("bücher.example", "/any") == nil, "a byte above 0x7f never matches")
        for (name, ascii) in [
            ("münchen", "xn--mnchen-3ya"), ("bücher", "xn--bcher-kva"), ("例え", "xn--r8jz45g"),
            ("пример", "xn--e1afmkfd"), ("faß", "xn--fa-hia"), ("ÄÖÜ", "xn--4ca0bs"),
        ] { #expect(HostName.canonical(configured: name) == ascii) }
        for bad in [
            "", ".", "a..b", "a b", "a/b", "a@b", "u\u{308}", "ｅvil", "a。b", "a:80", "[::1", "[::1]:80", "*", "a.*",
            "http://a", String(repeating: "a", count: 64),
        ] { #expect(HostName.canonical(configured: bad) == nil, "\(bad)") }
    }

    @Test func addressesInBrackets() {
        #expect(route("[::1]") == "v6")
        #expect(route("[0:0:0:0:0:0:0:1]:8080") == "v6")
        #expect(route("[::2]", "/any") == "any")
    }

    @Test(arguments: [
        "a b", "user@wiki.example.com", "wiki.example.com:80:80", "wiki.example.com:x", "..", ".wiki.example.com",
        "wiki..example.com", "wiki.example.com..", "[::1", "[::1]x", "[wiki]", "a/b", "%77iki.example.com", ":80",
        "wiki.example.com:123456", "wiki\u{0}.example.com",
    ])
    func malformedHostsBelongToNoRoute(_ host: String) {
        #expect(Self.snapshot.says("/any", host: host) == "deny no_route", "\(host)")
    }
}
