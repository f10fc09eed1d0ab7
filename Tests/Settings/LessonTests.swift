import Core
import Policy
import Settings
import Testing

/// What went wrong elsewhere and can go wrong in a configuration.
@Suite struct LessonTests {
    /// A restriction that is not understood, or that nothing can meet, stops the start instead of being left out.
    @Test(arguments: [
        "{ group: [admins] }", "{ groups: [] }", "{}", "[]", "{ factors: two }", "{ factors: 1 }",
        "{ credentials: [certificates] }", "{ groups: admins, hosted_domains: [example.com] }", "{ max_age: 900 }",
        "everybody", "", "{ scopes: }",
    ])
    func lesson10_restrictionsThatCannotHoldAreErrors(_ allow: String) {
        #expect(!problems(minimal(rules: "[ { allow: \(allow) } ]")).isEmpty)
        #expect(!problems(minimal(rules: "[ { networks: [], allow: everyone } ]")).isEmpty)
    }

    /// What nobody wrote is the careful choice.
    @Test func lesson11_defaultsAreCareful() throws {
        let settings = try load(minimal()).settings
        #expect(settings.trustedProxies.networks.isEmpty)
        #expect(!settings.trustedProxies.unix)
        #expect(settings.listeners.map(\.address) == [.tcp(host: "127.0.0.1", port: 8080)])
        #expect(settings.monitorListener == .tcp(host: "127.0.0.1", port: 9180))
        let route = try #require(settings.routes.first)
        #expect(route.policy.assertion)
        #expect(route.policy.keepInPath == [])
        #expect(route.policy.scheme == .https)
        let issuers = "jwt: { issuers: [ { id: a, issuer: \"https://a.example\", audiences: [w] } ] }"
        let issuer = try #require(try load(minimal(issuers)).settings.issuers.first)
        #expect(!issuer.emailTrusted)
        #expect(issuer.matching == .none)
        #expect(issuer.userPrefix == "a:" && issuer.groupsPrefix == "a:")
        #expect(!issuer.algorithms.contains { $0.hasPrefix("HS") })
    }

    /// Rules about networks are only as good as the client's address: a proxy's own is never one.
    @Test func lesson18_networkRulesExcludeTrustedProxies() {
        let rules = "[ { networks: [10.1.2.0/24], allow: everyone }, { allow: signed_in } ]"
        #expect(problems(minimal("trusted_proxies: [192.0.2.1]", rules: rules)).isEmpty)
        for proxies in ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0"] {
            let found = problems(minimal("trusted_proxies: [\"\(proxies)\"]", rules: rules))
            #expect(found.count == 1 && found.contains { $0.contains("routes[0].rules[0].networks[0]") })
        }
    }

    /// No text is a regular expression: a dot is a dot, and `*.` is the only wildcard of a host.
    @Test(arguments: ["\"wiki.*\"", "\"*example.com\"", "\"(a|b).example.com\"", "\"^wiki.example.com$\"", "\"*\""])
    func lesson22_hostsAreNoPatternsButOne(_ host: String) {
        let text = """
            public_url: https://auth.example.com
            routes: [ { name: a, host: \(host), rules: [ { allow: everyone } ] } ]
            """
        #expect(!problems(text).isEmpty)
    }

    /// Scheme, host and port are compared each by itself.
    @Test(arguments: [
        ("https://portal.example.com", "https://portal.example.com", true),
        ("https://portal.example.com", "https://PORTAL.example.com.:443/", true),
        ("https://portal.example.com", "https://portal.example.com.evil.example", false),
        ("https://portal.example.com", "https://portal.example.com:8443", false),
        ("https://portal.example.com", "http://portal.example.com", false),
        ("https://portal.example.com", "https://portal-example.com", false),
    ])
    func lesson23_originsAreComparedByParts(_ left: String, _ right: String, _ same: Bool) throws {
        #expect((try #require(Origin(left)) == #require(Origin(right))) == same)
    }

    @Test(arguments: [
        "https://portal.example.com@evil.example", "https://portal.example.com\\@evil.example",
        "https:portal.example.com",
        "https:///portal.example.com", "https://portal.example.com/x", "https://portal.example.com//",
        "https://portal.example.com#x", "https://portal.example.com:", "https://portal.example.com:0",
        "https://portal.example.com:65536", "https://", "javascript://portal.example.com", "https://[::1",
        "https://[::1]x", "https://[127.0.0.1]", "https://portal example.com", "https://portal.example.com%2f",
        " https://portal.example.com",
    ])
    func lesson23_whatIsNoOriginIsRefused(_ text: String) {
        #expect(Origin(text) == nil)
    }

    /// A secret that is not there stops the start.
    @Test(arguments: [
        "master_key: { file: absent }", "master_key: { env: ABSENT }", "master_key: { credential: absent }",
        "master_key: { file: empty.key }", "proxy_secret: { env: EMPTY }", "proxy_secret: { file: absent }",
        "proxy_secret:", "proxy_secret: \"\"", "master_key: none", "previous_master_keys: [ { env: ABSENT } ]",
    ])
    func lesson61_missingSecretsStopTheStart(_ key: String) {
        #expect(!problems(minimal(key)).isEmpty)
    }

    @Test func lesson61_credentialsNeedTheirFolder() {
        #expect(!problems(minimal("master_key: { credential: master }"), environment: [:]).isEmpty)
        #expect(problems(minimal("master_key: { credential: master }")).isEmpty)
    }

    /// A symmetric key set is a secret, whatever its file is called.
    @Test func lesson85_symmetricKeysComeFromPrivateFilesOnly() {
        func issuer(_ more: String) -> String {
            minimal("jwt: { issuers: [ { id: a, issuer: \"https://a.example\", audiences: [w], \(more) } ] }")
        }
        #expect(problems(issuer("algorithms: [HS256], jwks_file: robots.jwks.json")).isEmpty)
        #expect(problems(issuer("algorithms: [RS256], jwks_file: jwks.json")).isEmpty)
        #expect(!problems(issuer("algorithms: [HS256], jwks_file: jwks.json")).isEmpty)
        #expect(!problems(issuer("algorithms: [HS256]")).isEmpty)
        #expect(!problems(issuer("algorithms: [HS256], jwks_url: \"https://a.example/jwks\"")).isEmpty)
        #expect(!problems(issuer("algorithms: [none], jwks_file: robots.jwks.json")).isEmpty)
    }
}
