import Core
import Policy
import Testing

/// A method with lower-case letters is judged as it came and as whoever raises it to upper case sees it.
@Suite struct MethodTests {
    private static let snapshot = Snapshot.one([
        RuleDescription(.allow(.group("admins")), methods: ["DELETE", "POST"]),
        RuleDescription(.allow(.group("staff"))),
    ])

    @Test(arguments: ["DELETE", "delete", "Delete", "dELETe", "post", "pOST"])
    func aRuleForAMethodIsNotPassedByItsCase(_ method: String) {
        let snapshot = Self.snapshot
        #expect(snapshot.says("/item", .session("ann", ["staff"]), method: method) == "deny group_missing")
        // The other reading falls to the rule for staff.
        let both = CredentialState.session("ada", ["admins", "staff"])
        #expect(snapshot.says("/item", both, method: method) == "allow")
        #expect(snapshot.says("/item", method: method) == "sign_in sign_in_required")
    }

    @Test func theStricterReadingHoldsEitherWay() {
        let open = Snapshot.one([
            RuleDescription(.allow(.everyone), methods: ["GET"]), RuleDescription(.allow(.group("staff"))),
        ])
        #expect(open.says("/") == "allow")
        for method in ["get", "Get", "head"] { #expect(open.says("/", method: method) == "sign_in sign_in_required") }
        let closed = Snapshot.one([
            RuleDescription(.deny(.everyone), methods: ["PURGE"]), RuleDescription(.allow(.everyone)),
        ])
        #expect(closed.says("/", method: "purge") == "deny rule_denied")
        #expect(closed.says("/", method: "purgE1") == "allow")
        #expect(closed.says("/x;a=b/%41", method: "Purge") == "deny rule_denied", "with readings of the path as well")
    }

    @Test func boundsOfKeysReadBothWays() {
        let key = CredentialState.key(bounds: KeyBounds(methods: ["GET"]))
        let snapshot = Snapshot.one([RuleDescription(.allow(.signedIn))])
        #expect(snapshot.says("/", key) == "allow")
        for method in ["get", "post", "Post"] {
            #expect(snapshot.says("/", key, method: method) == "deny key_restricted")
        }
    }

    @Test func aPreflightInLowerCaseIsOneToSomeOnly() {
        let open = Snapshot.one([
            RuleDescription(.allow(.everyone), preflight: true), RuleDescription(.allow(.group("staff"))),
        ])
        #expect(open.says("/", method: "OPTIONS", preflight: true) == "allow")
        #expect(open.says("/", method: "options", preflight: true) == "sign_in sign_in_required")
        let closed = Snapshot.one([
            RuleDescription(.deny(.everyone), preflight: true), RuleDescription(.allow(.everyone)),
        ])
        #expect(closed.says("/", method: "Options", preflight: true) == "deny rule_denied")
        #expect(closed.says("/", method: "Options") == "allow")
    }

    @Test func aNamedRouteReadsBothWays() throws {
        let snapshot = Self.snapshot
        let route = try #require(snapshot.route(named: Array("wiki".utf8)))
        for (method, verdict) in [("delete", Verdict.deny), ("patch", .allow), ("DELETE", .deny)] {
            withFacts(method, path: "/item") { facts in
                let judgement = snapshot.decide(facts, named: route, credential: .session("ann", ["staff"]))
                #expect(judgement.verdict == verdict)
            }
        }
    }

    @Test func explainShowsBothReadings() {
        withFacts("delete", path: "/item") { facts in
            let explanation = Self.snapshot.explain(facts, credential: .session("ann", ["staff"]))
            #expect(explanation.verdict == .deny && explanation.reason == .groupMissing && explanation.rule == 0)
            #expect(explanation.readings.map(\.method) == ["delete", "DELETE"])
            #expect(explanation.readings.map(\.verdict) == [.allow, .deny])
            #expect(explanation.headers.isEmpty)
        }
        withFacts("DELETE", path: "/item") { facts in
            #expect(Self.snapshot.explain(facts, credential: .none).readings.map(\.method) == [nil])
        }
    }

    @Test func theShadowOfTheLaxerReadingIsReported() {
        let snapshot = Snapshot.one([
            RuleDescription(.deny(.everyone), methods: ["DELETE"], name: "later", shadow: true),
            RuleDescription(.allow(.everyone)),
        ])
        withFacts("delete", path: "/x") { facts in
            let judgement = snapshot.decide(facts, credential: .none)
            #expect(judgement.verdict == .allow && judgement.shadow.map(\.ruleName) == ["later"])
        }
    }
}
