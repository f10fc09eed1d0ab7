import Core
import Policy
import Testing

/// Rules that can never match because of several earlier ones, or that nobody can ever meet.
@Suite struct UnreachableTests {
    private func findings(_ rules: [RuleDescription], _ change: (inout RouteDescription) -> Void = { _ in })
        -> [Finding]
    {
        var route = RouteDescription(name: "a", rules: rules)
        change(&route)
        return Snapshot.findings(in: [route])
    }

    private func codes(_ rules: [RuleDescription], _ change: (inout RouteDescription) -> Void = { _ in })
        -> [Finding.Code]
    { findings(rules, change).map(\.code) }

    private func on(
        _ paths: [String]? = nil, _ methods: [String]? = nil, _ networks: [String]? = nil, preflight: Bool = false
    ) -> RuleDescription {
        RuleDescription(
            .allow(.signedIn), paths: paths, methods: methods, networks: networks.map { $0.compactMap { Network($0) } },
            preflight: preflight)
    }

    @Test func earlierRulesTogetherTakeAll() {
        let methods = findings([on(nil, ["GET"]), on(nil, ["POST"]), on(nil, ["GET", "POST"]), on()])
        #expect(methods.map(\.code) == [.ruleNeverMatches])
        #expect(methods.first?.place == Place(route: 0, rule: 2) && methods.first?.other == Place(route: 0, rule: 1))
        #expect(codes([on(["/a/**"]), on(["/b/**"]), on(["/a/x", "/b/x"]), on()]) == [.ruleNeverMatches])
        #expect(codes([on(["/a/**"]), on(nil, ["GET"]), on(["/a/x", "/b"], ["GET"])]) == [.ruleNeverMatches])
        #expect(
            codes([on(["/a/**"], ["GET"]), on(["/a"], ["POST"]), on(["/a"], ["POST", "HEAD"])]) == [.ruleNeverMatches])
        #expect(
            codes([
                on(nil, nil, ["10.0.0.0/9"]), on(nil, nil, ["10.128.0.0/9"]), on(nil, nil, ["10.0.0.0/8"]), on(),
            ]) == [.ruleNeverMatches])
        #expect(
            codes([on(["/**"], ["OPTIONS"]), on(nil, nil, ["::/1"], preflight: true), on()]) == [.ruleNeverMatches])
    }

    @Test func whatIsLeftByOneOfThemMatches() {
        #expect(codes([on(nil, ["GET"]), on(nil, ["POST"]), on(nil, ["GET", "POST", "PUT"])]).isEmpty)
        #expect(codes([on(["/a/**"]), on(["/b/**"]), on(["/a/x", "/c"])]).isEmpty)
        #expect(codes([on(["/a/**"], ["GET"]), on(["/b/**"], ["POST"]), on(["/a", "/b"], ["GET", "POST"])]).isEmpty)
        #expect(codes([on(nil, ["GET"]), on(nil, ["POST"]), on()]).isEmpty, "other methods are left")
        #expect(
            codes([on(nil, nil, ["0.0.0.0/0"]), on(nil, nil, ["::/0"]), on()]).isEmpty, "an unknown address is left")
        #expect(
            codes([on(nil, nil, ["10.0.0.0/9"]), on(nil, nil, ["10.192.0.0/10"]), on(nil, nil, ["10.0.0.0/8"])]).isEmpty
        )
        #expect(codes([on(preflight: true), on(nil, ["OPTIONS"])]).isEmpty)
        let some = RuleDescription(.deny(.group("a")), paths: ["/a/**"])
        #expect(codes([some, on(["/b"]), on(["/a", "/b"])]).isEmpty)
    }

    @Test func pathsOfOtherRoutesAreNoneOfARulesPaths() {
        // Of "/**" the route takes what is its own, of "/b/**" nothing.
        #expect(codes([on(["/a/**"]), on(["/**", "/b/**"])]) { $0.paths = ["/a/**"] } == [.ruleNeverMatches])
    }

    @Test func methodsThatAreNeverServed() {
        #expect(codes([on(nil, ["CONNECT"])]) == [.ruleNeverMatches])
        #expect(codes([on(nil, ["TRACE", "CONNECT"])]) == [.ruleNeverMatches])
        #expect(codes([on(nil, ["TRACE", "GET"])]).isEmpty)
    }

    private func allow(_ maps: Conditions...) -> [RuleDescription] { [RuleDescription(.allow(.anyOf(maps)))] }

    @Test func mapsThatNoCredentialMeets() {
        let hopeless = [
            Conditions(scopes: ["a"], credentials: [.session]), Conditions(factors: .two, credentials: [.apiKey]),
            Conditions(maxAge: .seconds(300), credentials: [.apiKey]), Conditions(scopes: ["a"], factors: .passkey),
            Conditions(factors: .two, credentials: [.jwt, .certificate]),
            Conditions(scopes: ["a"], credentials: [.certificate]),
        ]
        for map in hopeless {
            #expect(codes(allow(map)) == [.conditionsNeverMet])
            #expect(codes([RuleDescription(.deny(.anyOf([map])))]) == [.conditionsNeverMet])
        }
        let second = findings(allow(Conditions(groups: ["a"]), hopeless[0]))
        #expect(second.map(\.place) == [Place(route: 0, rule: 0, key: .allow, map: 1)])
        let good = [
            Conditions(scopes: ["a"], maxAge: .seconds(300)),
            Conditions(factors: .two, credentials: [.apiKey, .session]),
            Conditions(groups: ["a"], credentials: [.certificate]),
            Conditions(scopes: ["a"], credentials: [.session, .jwt]),
        ]
        for map in good { #expect(codes(allow(map)).isEmpty) }
    }

    @Test func mapsThatNothingMeetsWhereTheRouteLooks() {
        func at(_ sources: CredentialSources, _ maps: Conditions...) -> [Finding.Code] {
            codes([RuleDescription(.allow(.anyOf(maps)))]) { $0.credentialsFrom = sources }
        }
        let session = Conditions(credentials: [.session])
        let scope = Conditions(scopes: ["a"])
        #expect(at([.key], session) == [.ruleNeverMetHere])
        #expect(at([.key], Conditions(factors: .two)) == [.ruleNeverMetHere])
        #expect(at([.cookie], scope) == [.ruleNeverMetHere])
        #expect(at([.key], Conditions(credentials: [.jwt])) == [.ruleNeverMetHere])
        #expect(at([.key], session, scope).isEmpty, "one of them can")
        #expect(at([.authorization], session).isEmpty, "an access token")
        #expect(at([.key], Conditions(groups: ["a"])).isEmpty)
        #expect(at([.cookie], Conditions(credentials: [.certificate])).isEmpty)
    }
}
