import Core
import Policy
import Testing

/// Lessons that are about what a verdict depends on; those about paths, hosts and headers are with their kind.
@Suite struct LessonTests {
    /// Facts have no header, no query and no agent, so none can open a path; there is no path that is open by itself.
    @Test(arguments: ["/ping", "/healthz", "/readyz", "/robots.txt", "/oauth2/sign_in", "/favicon.ico", "/.auth/check"])
    func lesson02_lesson03_noPathIsOpenByItself(_ path: String) {
        #expect(Snapshot.contract.says(path) == "sign_in sign_in_required")
    }

    @Test func lesson04_emptyIsNotAbsentAndNeverPasses() {
        #expect(Snapshot.contract.says("", host: "") == "deny path_refused")
        #expect(Snapshot.contract.says("/", host: "") == "deny no_route")
        #expect(Snapshot.contract.says("/", method: "") == "sign_in sign_in_required")
        let nobody = Identity(kind: .apiKey, credentialID: "", subject: "", user: "")
        #expect(Snapshot.contract.says("/page", .identity(nobody)) == "deny group_missing")
        #expect(Snapshot.one([]).says("/") == "deny no_rule")
        #expect(Snapshot.many([]).says("/") == "deny no_route")
    }

    @Test func lesson17_groupsAreThoseOfTheIdentityAtHand() {
        #expect(Snapshot.contract.says("/page", .session("a", ["staff"])) == "allow")
        #expect(Snapshot.contract.says("/page", .session("a", [])) == "deny group_missing")
    }

    @Test func lesson19_whatIsNotKnownNeverSkipsARule() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.signedIn), networks: [Network("10.0.0.0/8")!]),
            RuleDescription(.allow(.group("admins"))),
        ])
        #expect(snapshot.says("/", .session("a", ["staff"])) == "deny group_missing")
        let failed = CredentialState.refused(CredentialRefusal(.storeUnavailable))
        #expect(snapshot.says("/", failed, address: "10.0.0.1") == "deny store_unavailable")
        #expect(Snapshot.one([]).says("/", failed) == "deny store_unavailable")
    }

    @Test func lesson22_namesAreComparedExactly() {
        let snapshot = Snapshot.one([RuleDescription(.allow(.anyOf([Conditions(groups: ["K.1"], scopes: ["s.K"])])))])
        #expect(snapshot.says("/", .key(["K.1"], scopes: ["s.K"])) == "allow")
        #expect(snapshot.says("/", .key(["k.1"], scopes: ["s.K"])) == "deny group_missing")
        #expect(snapshot.says("/", .key(["Kx1"], scopes: ["s.K"])) == "deny group_missing")
        // KELVIN SIGN is canonically equivalent to K.
        #expect(snapshot.says("/", .key(["\u{212a}.1"], scopes: ["s.K"])) == "deny group_missing")
        #expect(snapshot.says("/", .key(["K.1"], scopes: ["s.\u{212a}"])) == "deny scope_missing")
    }

    @Test func lesson39_scopesAreLookedAtInEveryVerdict() {
        let credential = CredentialState.key(["staff"], scopes: ["wiki:read"])
        #expect(Snapshot.contract.says("/api/x", credential) == "allow")
        #expect(Snapshot.contract.says("/page", credential) == "deny scope_missing")
        #expect(Snapshot.contract.says("/api/x", credential) == "allow")
    }

    @Test func lesson43_onlyProvedFactorsCount() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.anyOf([Conditions(factors: .passkey)])), paths: ["/passkey"]),
            RuleDescription(.allow(.anyOf([Conditions(factors: .two)])), paths: ["/two"]),
            RuleDescription(.allow(.anyOf([Conditions(maxAge: .seconds(60))])), paths: ["/fresh"]),
            RuleDescription(
                .allow(.anyOf([Conditions(factors: .two, maxAge: .seconds(60))])), paths: ["/both"]),
        ])
        #expect(snapshot.says("/two", .session(factors: 1)) == "step_up factor_missing")
        #expect(snapshot.says("/two", .session(factors: 2)) == "allow")
        // Where both are wanted both are to be recent: a password given again does nothing for the second factor.
        #expect(snapshot.says("/both", .session(factors: 2)) == "allow")
        #expect(snapshot.says("/both", .session(factors: 2, age: 0, factorAge: 61)) == "step_up too_old")
        #expect(snapshot.says("/fresh", .session(factors: 2, age: 0, factorAge: 61)) == "allow")
        #expect(snapshot.says("/two", .key()) == "step_up factor_missing")
        #expect(snapshot.says("/two", .foreign()) == "step_up factor_missing")
        #expect(snapshot.says("/passkey", .session(factors: 2, amr: ["pwd", "otp"])) == "step_up factor_missing")
        #expect(snapshot.says("/passkey", .session(factors: 2, amr: ["hwk", "user"])) == "allow")
        #expect(snapshot.says("/fresh", .session(age: 60)) == "allow")
        #expect(snapshot.says("/fresh", .session(age: 61)) == "step_up too_old")
        #expect(snapshot.says("/fresh", .session(age: -61)) == "step_up too_old", "not from the future")
        #expect(snapshot.says("/fresh", .key()) == "step_up too_old")
    }
}
