import Core
import Policy
import Testing

@Suite struct VerdictTests {
    /// method, path, who, expected; `who` is one of `people`.
    static let golden: [(String, String, String, String)] = [
        ("GET", "/public/a", "nobody", "allow"), ("GET", "/public", "revoked", "allow"),
        ("GET", "/public/a", "scoped", "allow"), ("GET", "/", "nobody", "sign_in sign_in_required"),
        ("GET", "/page", "nobody", "sign_in sign_in_required"), ("GET", "/page", "revoked", "deny credential_revoked"),
        ("GET", "/page", "staff", "allow"), ("GET", "/page", "guest", "deny group_missing"),
        ("GET", "/page", "key", "allow"), ("GET", "/page", "scoped", "deny scope_missing"),
        ("GET", "/page", "foreign", "allow"), ("GET", "/api/x", "scoped", "allow"),
        ("GET", "/api/x", "otherScope", "deny scope_missing"), ("GET", "/api/x", "staff", "allow"),
        ("GET", "/api/x", "key", "deny rule_denied"), ("GET", "/api/x", "foreign", "allow"),
        ("GET", "/api/x", "nobody", "sign_in sign_in_required"), ("GET", "/admin/x", "admin", "allow"),
        ("GET", "/admin", "admin", "allow"), ("GET", "/admin/", "admin", "allow"),
        ("GET", "/admin/x", "admin1", "step_up factor_missing"), ("GET", "/admin/x", "adminOld", "step_up too_old"),
        ("GET", "/admin/x", "staff", "deny group_missing"), ("GET", "/admin/x", "revoked", "deny credential_revoked"),
        ("HEAD", "/page", "staff", "allow"), ("BREW", "/page", "staff", "allow"),
    ]

    static let people: [String: CredentialState] = [
        "nobody": .none, "revoked": .revoked, "staff": .session("anna", ["staff"]), "guest": .session("gus"),
        "admin": .session("ada", ["admins"], factors: 2), "admin1": .session("ada", ["admins"]),
        "adminOld": .session("ada", ["admins"], factors: 2, age: 901), "key": .key(["staff"]),
        "scoped": .key(["staff"], scopes: ["wiki:read"]), "otherScope": .key(["staff"], scopes: ["wiki:write"]),
        "foreign": .foreign(["staff"], scopes: ["openid", "wiki:read"]),
    ]

    @Test(arguments: golden) func goldenVerdicts(_ row: (String, String, String, String)) throws {
        let who = try #require(Self.people[row.2])
        #expect(Snapshot.contract.says(row.1, who, method: row.0) == row.3, "\(row)")
    }

    @Test func theFirstMatchDecidesAndNothingFallsThrough() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: ["/admin/**"]), RuleDescription(.allow(.everyone)),
        ])
        #expect(snapshot.says("/admin/x", .session("a", ["staff"])) == "deny group_missing")
        #expect(snapshot.says("/admin/x") == "sign_in sign_in_required")
        #expect(snapshot.answer("/x").rule == 1)
    }

    @Test func denyRulesRefuseWhomTheyMeanAndNeverLetIn() {
        let rules = [
            RuleDescription(.deny(.group("contractors"))),
            RuleDescription(.deny(.everyone), paths: ["/closed/**"]), RuleDescription(.allow(.signedIn)),
        ]
        let snapshot = Snapshot.one(rules)
        #expect(snapshot.says("/x", .session("c", ["contractors", "staff"])) == "deny rule_denied")
        #expect(snapshot.says("/x", .session("a", ["staff"])) == "allow")
        #expect(snapshot.says("/x") == "sign_in sign_in_required")
        #expect(snapshot.says("/x", .revoked) == "deny credential_revoked")
        #expect(snapshot.says("/closed/x", .session("a", ["staff"])) == "deny rule_denied")
        let only = Snapshot.one([RuleDescription(.deny(.group("contractors")))])
        #expect(only.says("/x", .session("a", ["staff"])) == "deny no_rule")
        #expect(only.says("/x") == "deny no_rule")
        // Scopes narrow what lets in, not what shuts out.
        #expect(snapshot.says("/x", .key(["contractors"], scopes: ["a"])) == "deny rule_denied")
    }

    @Test func onEveryoneABadCredentialIsNobodysBehindADenyToo() {
        let snapshot = Snapshot.one([
            RuleDescription(.deny(.group("contractors"))), RuleDescription(.allow(.everyone)),
        ])
        #expect(snapshot.says("/x") == "allow")
        #expect(snapshot.says("/x", .revoked) == "allow")
        #expect(snapshot.says("/x", .session("c", ["contractors"])) == "deny rule_denied")
        // Who could not be looked up may be a contractor.
        let unknown = CredentialState.refused(CredentialRefusal(.storeUnavailable))
        #expect(snapshot.says("/x", unknown) == "deny store_unavailable")
    }

    @Test func cookiesThatDisagreeAreNobodyAndAskedToSignIn() {
        let two = CredentialState.refused(CredentialRefusal(.credentialsDisagree))
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.everyone), paths: ["/public"]),
            RuleDescription(.deny(.group("contractors")), paths: ["/x/**"]),
            RuleDescription(.allow(.signedIn), paths: ["/x/**"]),
        ])
        #expect(snapshot.says("/public", two) == "allow")
        #expect(snapshot.says("/x", two) == "sign_in credentials_disagree")
        #expect(snapshot.says("/none", two) == "deny no_rule", "no sign-in would help")
    }

    @Test func shadowRulesAreReportedOnly() {
        let snapshot = Snapshot.one([
            RuleDescription(.deny(.everyone), paths: ["/x/**"], name: "later", shadow: true),
            RuleDescription(.allow(.everyone), shadow: true), RuleDescription(.allow(.signedIn)),
        ])
        withFacts(path: "/x/y") { facts in
            let judgement = snapshot.decide(facts, credential: .none)
            #expect(judgement.verdict == .signIn && judgement.ruleIndex == 2)
            #expect(judgement.shadow.map(\.verdict) == [.deny, .allow])
            #expect(judgement.shadow.first?.ruleName == "later")
            #expect(judgement.permit() == nil ? true : false)
        }
        #expect(Snapshot.one([RuleDescription(.allow(.everyone), shadow: true)]).says("/") == "deny no_rule")
    }

    @Test func conditions() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.everyone), preflight: true),
            RuleDescription(.allow(.everyone), methods: ["GET", "PUT"], networks: [Network("10.0.0.0/8")!]),
            RuleDescription(.deny(.everyone), methods: ["HEAD", "DELETE"]), RuleDescription(.allow(.signedIn)),
        ])
        #expect(snapshot.says("/", method: "OPTIONS", preflight: true) == "allow")
        #expect(snapshot.says("/", method: "OPTIONS") == "sign_in sign_in_required")
        #expect(snapshot.says("/", address: "10.1.2.3") == "allow")
        #expect(snapshot.says("/", method: "HEAD", address: "10.1.2.3") == "allow", "GET covers HEAD")
        #expect(snapshot.says("/", method: "HEAD", address: "11.1.2.3") == "deny rule_denied")
        #expect(snapshot.says("/", method: "get", address: "10.1.2.3") == "sign_in sign_in_required")
        #expect(snapshot.says("/", address: "::ffff:10.1.2.3") == "allow")
        #expect(snapshot.says("/") == "sign_in sign_in_required", "an unknown address is in no network")
        #expect(snapshot.says("/", method: "DELETE", address: "10.1.2.3") == "deny rule_denied")
    }

    @Test func keyBoundsDecideBeforeAnyRule() {
        let routes = [
            RouteDescription(name: "wiki", hosts: ["wiki.example.com"], rules: [RuleDescription(.allow(.everyone))]),
            RouteDescription(name: "other", hosts: ["b.example.com"], rules: [RuleDescription(.allow(.everyone))]),
        ]
        let snapshot = Snapshot.many(routes)
        let byRoute = CredentialState.key(bounds: KeyBounds(routes: ["wiki"]))
        #expect(snapshot.says("/", byRoute) == "allow")
        #expect(snapshot.says("/", byRoute, host: "b.example.com") == "deny key_restricted")
        let byNetwork = CredentialState.key(bounds: KeyBounds(networks: [Network("10.0.0.0/8")!]))
        #expect(snapshot.says("/", byNetwork, address: "10.0.0.1") == "allow")
        #expect(snapshot.says("/", byNetwork, address: "9.0.0.1") == "deny key_restricted")
        #expect(snapshot.says("/", byNetwork) == "deny key_restricted")
        let byMethod = CredentialState.key(bounds: KeyBounds(methods: ["GET"]))
        #expect(snapshot.says("/", byMethod, method: "HEAD") == "allow")
        #expect(snapshot.says("/", byMethod, method: "POST") == "deny key_restricted")
        #expect(snapshot.says("/", .key(bounds: KeyBounds(routes: []))) == "deny key_restricted")
        #expect(snapshot.says("/", .key(bounds: KeyBounds())) == "allow")
    }

    @Test func scopesOfKeysAndTokens() {
        let both = Snapshot.one([
            RuleDescription(.allow(.anyOf([Conditions(scopes: ["a", "b"])])), paths: ["/both"]),
            RuleDescription(.allow(.signedIn)),
        ])
        #expect(both.says("/both", .key(scopes: ["a", "b", "c"])) == "allow")
        #expect(both.says("/both", .key(scopes: ["a"])) == "deny scope_missing", "all of them must be held")
        #expect(both.says("/both", .key()) == "deny scope_missing")
        #expect(both.says("/both", .session()) == "deny scope_missing", "a session has none")
        #expect(both.says("/", .key()) == "allow")
        #expect(both.says("/", .key(scopes: ["a", "b"])) == "deny scope_missing")
        #expect(both.says("/", .key(scopes: [])) == "deny scope_missing", "narrowed to nothing")
        #expect(both.says("/", .foreign(scopes: ["openid"])) == "allow", "a foreign token is not narrowed")
    }

    @Test func usersAreComparedWithoutCase() {
        let snapshot = Snapshot.one([RuleDescription(.allow(.anyOf([Conditions(users: ["Anna", "ÄRA"])])))])
        #expect(snapshot.says("/", .session("aNNa")) == "allow")
        #expect(snapshot.says("/", .session("ära")) == "allow")
        #expect(snapshot.says("/", .session("annab")) == "deny rule_denied")
    }

    /// `k` is the lower case of the Kelvin sign, and a letter with its accent behind it is canonically the letter that
    /// has it: at an issuer those may be four people. Nobody gets past a `deny` as one of the others.
    @Test func otherNamesThatLookTheSameLetNobodyIn() {
        let allowed = Snapshot.one([RuleDescription(.allow(.anyOf([Conditions(users: ["mark", "ära"])])))])
        let denied = Snapshot.one([
            RuleDescription(.deny(.anyOf([Conditions(users: ["mark", "ära"])]))), RuleDescription(.allow(.signedIn)),
        ])
        for user in ["mark", "MARK", "ära", "ÄRA"] {
            #expect(allowed.says("/", .session(user)) == "allow")
            #expect(denied.says("/", .session(user)) == "deny rule_denied")
        }
        for user in ["mar\u{212a}", "MAR\u{212a}", "a\u{308}ra", "A\u{308}RA"] {
            #expect(allowed.says("/", .session(user)) == "deny rule_denied")
            #expect(denied.says("/", .session(user)) == "deny rule_denied")
        }
    }

    @Test(arguments: ["corp:\u{212a}ate", "corp:\u{212a}ATE", "corp:Kat\u{e9}", "CORP:\u{130}lker"])
    func aNameThatOnlyLooksLikeAnotherIsAnother(_ user: String) {
        let wanted = ["corp:Kate", "corp:kate", "corp:Kat\u{65}\u{301}", "corp:ilker", "corp:i\u{307}lker"]
        #expect(
            Snapshot.one([RuleDescription(.allow(.anyOf([Conditions(users: wanted)])))]).says("/", .session(user))
                == "deny rule_denied")
        #expect(
            Snapshot.one([RuleDescription(.allow(.anyOf([Conditions(users: [user])])))]).says("/", .session(user))
                == "allow")
    }

    @Test func permitsComeOnlyFromAnAllowAndCarryTheIdentity() {
        withFacts(path: "/public/x") { facts in
            if let permit = Snapshot.contract.decide(facts, credential: .session("anna", ["staff"])).permit() {
                #expect(permit.identity?.user == "anna")
            } else {
                Issue.record("no permit")
            }
            let anonymous = Snapshot.contract.decide(facts, credential: .revoked).permit()
            if let anonymous {
                #expect(anonymous.identity == nil && anonymous.route.name == "wiki")
            } else {
                Issue.record("a bad credential is anonymous on everyone")
            }
        }
        withFacts(path: "/page") { facts in
            let permit = Snapshot.contract.decide(facts, credential: .revoked).permit()
            #expect(permit == nil ? true : false)
        }
    }

    @Test func aRouteOfAnotherSnapshotIsNotBelieved() {
        let lax = Snapshot.one([RuleDescription(.allow(.everyone))])
        withFacts(path: "/page") { facts in
            let judgement = Snapshot.contract.decide(facts, route: lax.routes[0], credential: .none)
            #expect(judgement.verdict == .signIn)
        }
    }

    @Test func explainAgreesWithDecide() throws {
        for row in Self.golden {
            let who = try #require(Self.people[row.2])
            withFacts(row.0, path: row.1) { facts in
                let explanation = Snapshot.contract.explain(facts, credential: who)
                let answer = Snapshot.contract.answer(row.1, who, method: row.0)
                #expect(explanation.verdict == answer.verdict && explanation.reason == answer.reason)
                #expect(explanation.rule == answer.rule)
                #expect(explanation.readings[0].rules.last?.decided == true)
                #expect(explanation.headers.isEmpty == (answer.verdict != .allow))
            }
        }
        withFacts(path: "/admin/x") { facts in
            let explanation = Snapshot.contract.explain(facts, credential: .session("gus"))
            #expect(explanation.readings[0].rules.map(\.matched) == [false, false, true])
            #expect(explanation.readings[0].rules[1].why == "its paths do not match")
            #expect(explanation.ruleName == "admin")
        }
    }

    /// Of a shared set, whose idle rules are left out, by its index in the set.
    @Test func aRuleIsToldByThePlaceWhereItWasWritten() {
        var first = RuleDescription(.deny(.everyone), shadow: true)
        first.place = 1
        var second = RuleDescription(.allow(.signedIn))
        second.place = 3
        let snapshot = Snapshot.one([first, second])
        #expect(snapshot.answer("/x").rule == 3)
        withFacts(path: "/x") { facts in
            let explanation = snapshot.explain(facts, credential: .none)
            #expect(explanation.rule == 3 && explanation.shadow.map(\.ruleIndex) == [1])
            #expect(explanation.readings[0].rules.map(\.index) == [1, 3])
            #expect(explanation.readings[0].rules.map(\.decided) == [false, true])
        }
    }
}
