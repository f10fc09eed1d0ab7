import Core
import Policy
import Testing

@Suite struct CompileTests {
    private func codes(_ routes: [RouteDescription]) -> [Finding.Code] { Snapshot.findings(in: routes).map(\.code) }

    private func codes(_ rules: [RuleDescription], paths: [String]? = nil) -> [Finding.Code] {
        codes([RouteDescription(name: "a", paths: paths, rules: rules)])
    }

    @Test func everyMistakeIsFoundAtOnceWithItsPlace() {
        let findings = Snapshot.findings(in: [
            RouteDescription(
                name: "", hosts: ["a:80", "ok.example"], paths: ["nope"],
                rules: [
                    RuleDescription(.allow(.anyOf([Conditions(), Conditions(groups: ["a b"], scopes: ["x y"])]))),
                    RuleDescription(.deny(.anyOf([])), paths: ["/ok", "/a**"], methods: ["get"]),
                ], groupsShown: ["a b"])
        ])
        #expect(
            findings.map(\.place) == [
                Place(route: 0, key: .name), Place(route: 0, key: .hosts, item: 0),
                Place(route: 0, key: .paths, item: 0), Place(route: 0, key: .groupsShown, item: 0),
                Place(route: 0, rule: 0, key: .allow, map: 0), Place(route: 0, rule: 0, key: .allow, map: 1, item: 0),
                Place(route: 0, rule: 0, key: .allow, map: 1, item: 0), Place(route: 0, rule: 1, key: .paths, item: 1),
                Place(route: 0, rule: 1, key: .methods, item: 0), Place(route: 0, rule: 1, key: .deny),
            ])
        #expect(throws: PolicyError(.invalidRoutes, "")) {
            try Snapshot.compile([RouteDescription(name: "", hosts: [])])
        }
    }

    @Test func routesThatCanNeverMatch() {
        #expect(
            codes([RouteDescription(name: "a"), RouteDescription(name: "b", hosts: ["x.y"])]) == [.routeNeverMatches])
        #expect(codes([RouteDescription(name: "a"), RouteDescription(name: "b")]) == [.sameHostAndPath])
        #expect(codes([RouteDescription(name: "a", hosts: ["x.y"]), RouteDescription(name: "b")]) == [])
        #expect(
            codes([RouteDescription(name: "a", hosts: ["x.y"]), RouteDescription(name: "a", hosts: ["X.y."])])
                == [.duplicateName, .sameHostAndPath])
        #expect(
            codes([
                RouteDescription(name: "a", hosts: ["*.y"], paths: ["/a/**", "/b"]),
                RouteDescription(name: "b", hosts: ["z.y", "*.x.y"], paths: ["/a/c", "/b/"]),
            ]) == [.routeNeverMatches])
        #expect(
            codes([
                RouteDescription(name: "a", hosts: ["*.y"], paths: ["/a/**"]),
                RouteDescription(name: "b", hosts: ["y"], paths: ["/a/c"]),
            ]) == [])
    }

    @Test func rulesThatCanNeverMatch() {
        let all = RuleDescription(.allow(.signedIn))
        #expect(codes([all, RuleDescription(.deny(.everyone), paths: ["/x"])]) == [.ruleNeverMatches])
        #expect(codes([RuleDescription(.deny(.group("a"))), all]) == [])
        #expect(codes([RuleDescription(.allow(.signedIn), shadow: true), all]) == [])
        #expect(
            codes([
                RuleDescription(.allow(.signedIn), paths: ["/a/**"]),
                RuleDescription(.allow(.signedIn), paths: ["/a/*/c"]),
            ]) == [.ruleNeverMatches])
        #expect(codes([RuleDescription(.allow(.everyone), preflight: true), all]) == [])
        #expect(codes([RuleDescription(.allow(.everyone), methods: ["GET"]), all]) == [])
        #expect(
            codes([
                RuleDescription(.allow(.everyone), methods: ["GET"]),
                RuleDescription(.deny(.everyone), methods: ["HEAD"]),
            ]) == [.ruleNeverMatches])
        #expect(
            codes([RuleDescription(.allow(.signedIn), paths: ["/wiki/**"])], paths: ["/app/**"]) == [.ruleNeverMatches])
        #expect(
            codes([RuleDescription(.allow(.signedIn), paths: ["/app/**"]), all], paths: ["/app/**"])
                == [.ruleNeverMatches])
        #expect(codes([RuleDescription(.allow(.everyone), methods: ["GET"], preflight: true)]) == [.ruleNeverMatches])
        let net = Network("10.0.0.0/8")!
        let inner = Network("10.1.0.0/16")!
        #expect(
            codes([
                RuleDescription(.allow(.everyone), networks: [net]),
                RuleDescription(.allow(.everyone), networks: [inner]),
            ]) == [.ruleNeverMatches])
        #expect(
            codes([
                RuleDescription(.allow(.everyone), networks: [inner]),
                RuleDescription(.allow(.everyone), networks: [net]),
            ]) == [])
    }

    @Test func theFindingNamesTheEarlierOne() {
        let findings = Snapshot.findings(in: [
            RouteDescription(
                name: "a",
                rules: [RuleDescription(.allow(.signedIn)), RuleDescription(.allow(.everyone), paths: ["/p"])])
        ])
        #expect(findings.first?.other == Place(route: 0, rule: 0) && findings.first?.place == Place(route: 0, rule: 1))
    }
}
