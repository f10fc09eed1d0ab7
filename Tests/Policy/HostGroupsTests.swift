import Core
import Testing

@testable import Policy

@Suite struct HostGroupsTests {
    private func snapshot(_ routes: [(name: String, hosts: [String]?, paths: [String], shown: [String])]) throws
        -> Snapshot
    {
        try Snapshot.compile(
            routes.map { route in
                var description = RouteDescription(
                    name: route.name, hosts: route.hosts, paths: route.paths,
                    rules: [RuleDescription(.allow(.everyone))])
                description.groupsShown = route.shown
                return description
            })
    }

    private let anna = Identity(
        kind: .apiKey, credentialID: "k1", subject: "s", user: "anna", groups: ["staff", "wiki-admins", "a,b", "hr"])

    @Test func whatOneRouteOfAHostHidesIsHidden() throws {
        let snapshot = try snapshot([
            ("wiki", ["wiki.example.com"], ["/wiki/**"], ["wiki-*", "staff"]),
            ("blog", ["wiki.example.com"], ["/**"], ["staff", "hr"]),
            ("other", ["*.apps.example.com"], ["/**"], ["*"]),
        ])
        #expect(snapshot.groups(of: anna, shownOn: "wiki.example.com") == ["staff"])
        #expect(snapshot.groups(of: anna, shownOn: "x.apps.example.com") == ["hr", "staff", "wiki-admins"])
        #expect(snapshot.groups(of: anna, shownOn: "elsewhere.example.com").isEmpty)
        #expect(snapshot.groups(of: anna, shownOn: "").isEmpty)
    }
}
