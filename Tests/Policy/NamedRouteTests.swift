import Core
import Testing

@testable import Policy

/// A proxy may say which route it asks about; that never opens what the host and the path alone would not.
@Suite struct NamedRouteTests {
    private func named(
        _ snapshot: Snapshot, _ name: String, _ path: String, _ credential: CredentialState = .none,
        host: String = "wiki.example.com"
    ) throws -> String {
        let route = try #require(snapshot.route(named: Array(name.utf8)))
        return withFacts(host: host, path: path) { facts in
            let judgement = snapshot.decide(facts, named: route, credential: credential)
            return Answer(verdict: judgement.verdict, reason: judgement.reason).description
        }
    }

    private func site(ignoringCase: Bool = false) -> Snapshot {
        .many([
            RouteDescription(
                name: "admin", hosts: ["wiki.example.com"], paths: ["/admin/**"],
                rules: [RuleDescription(.allow(.group("admins")))], ignorePathCase: ignoringCase),
            RouteDescription(
                name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.everyone))]),
            RouteDescription(
                name: "other", hosts: ["other.example.com"], rules: [RuleDescription(.allow(.everyone))]),
        ])
    }

    /// The proxy took the path for the catch-all's; by the rules it is another route's.
    @Test(arguments: ["/%61dmin/x", "/admin;x/y", "/admin", "/admin/x", "/admin/"])
    func anotherRoutesPathIsJudgedByThatRouteToo(_ path: String) throws {
        #expect(try named(site(), "wiki", path) == "sign_in sign_in_required", "\(path)")
        #expect(try named(site(), "wiki", path, .session("a", ["staff"])) == "deny group_missing", "\(path)")
        #expect(try named(site(), "wiki", path, .session("a", ["admins"])) == "allow", "\(path)")
    }

    @Test func lettersOfEitherCaseWhereTheOtherRouteIgnoresIt() throws {
        #expect(try named(site(ignoringCase: true), "wiki", "/ADMIN/x") == "sign_in sign_in_required")
        #expect(try named(site(), "wiki", "/ADMIN/x") == "allow")
    }

    @Test func aHostOfAnotherRoute() throws {
        #expect(try named(site(), "other", "/admin/x") == "sign_in sign_in_required")
        #expect(try named(site(), "wiki", "/x", host: "other.example.com") == "allow")
        // Of this host no route is known: the proxy knows why it asks.
        #expect(try named(site(), "wiki", "/x", host: "elsewhere.example.com") == "allow")
        #expect(try named(site(), "admin", "/admin/x", host: "elsewhere.example.com") == "sign_in sign_in_required")
        for host in ["a b", "wiki.example.com,other.example.com", "other.example.com@", "[::1"] {
            #expect(try named(site(), "other", "/x", host: host) == "deny no_route", "\(host)")
        }
    }

    /// What the other route reads its credential from is not what the named one does.
    @Test func theOtherRoutesCredentialSourcesHold() throws {
        let snapshot = Snapshot.many([
            RouteDescription(
                name: "admin", hosts: ["wiki.example.com"], paths: ["/admin/**"],
                rules: [RuleDescription(.allow(.signedIn))], credentialsFrom: .key),
            RouteDescription(
                name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.everyone))]),
        ])
        #expect(try named(snapshot, "wiki", "/admin/x", .session("a")) == "sign_in sign_in_required")
    }

    /// Random routes, paths and people: where a name opens, the host and the path alone do as well.
    @Test(arguments: 0..<24) func aNameNeverOpensWhatTheRequestAloneDoesNot(_ seed: Int) throws {
        var random = Seeded(UInt64(seed) &* 7919 &+ 3)
        let hosts: [[String]?] = [["wiki.example.com"], ["*.example.com"], ["a.test", "wiki.example.com"], nil]
        let globs = ["/**", "/admin/**", "/a/*/b", "/a/**", "/**/x", "/x"]
        let requirements: [Requirement] = [
            .everyone, .signedIn, .group("admins"), .group("staff"), .anyOf([Conditions(factors: .two)]),
        ]
        let people: [CredentialState] = [
            .none, .revoked, .session("a"), .session("b", ["staff"]), .session("c", ["admins"], factors: 2),
            .key(["admins"]),
        ]
        let segments = [
            "admin", "ADMIN", "%61dmin", "admin;x", "a", "b", "x", "A;b=c", "%2f", "", "a%2fb", "x%20", "..", "%5c",
        ]
        func one<T>(_ from: [T]) throws -> T { try #require(from.randomElement(using: &random)) }
        var opened = 0
        for _ in 0..<1000 where opened < 20 {
            var routes: [RouteDescription] = []
            for index in 0..<Int.random(in: 1...4, using: &random) {
                var rules: [RuleDescription] = []
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let paths: [String]? = Bool.random(using: &random) ? nil : [try one(globs)]
                    rules.append(RuleDescription(.allow(try one(requirements)), paths: paths))
                }
                routes.append(
                    RouteDescription(
                        name: "r\(index)", hosts: try one(hosts), paths: [try one(globs)], rules: rules,
                        keepInPath: try one([[], .encodedSlash, .emptySegment, [.encodedSlash, .emptySegment]]),
                        ignorePathCase: Bool.random(using: &random)))
            }
            // Some of them can never match, which is an error of its own.
            guard let snapshot = try? Snapshot.compile(routes) else { continue }
            for _ in 0..<60 {
                var path = ""
                for _ in 0..<Int.random(in: 1...4, using: &random) { path += "/" + (try one(segments)) }
                let host = try one(["wiki.example.com", "WIKI.example.com.", "b.example.com", "a.test", "none.test"])
                let who = try one(people)
                let name = try one(routes).name
                guard try named(snapshot, name, path, who, host: host) == "allow" else { continue }
                let isKnown = withFacts(host: host, path: path) { snapshot.candidates($0.host)?.isEmpty == false }
                guard isKnown else { continue }
                opened += 1
                #expect(snapshot.says(path, who, host: host) == "allow", "\(name) \(host)\(path)")
            }
        }
        #expect(opened >= 20)
    }
}
