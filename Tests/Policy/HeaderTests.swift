import Core
import Policy
import Testing

@Suite struct HeaderTests {
    private func route(_ change: (inout RouteDescription) -> Void = { _ in }) -> Route {
        Snapshot.one([RuleDescription(.allow(.everyone))], change).routes[0]
    }

    private func text(_ identity: Identity?, _ route: Route, _ assertion: String? = nil) throws -> String {
        String(
            decoding: try IdentityHeaders.render(identity, for: route, assertion: assertion.map { Array($0.utf8) }),
            as: UTF8.self)
    }

    private func person(
        user: String = "anna", email: String? = "a@example.com", name: String = "Anna", groups: [String] = ["b", "a"]
    ) -> Identity {
        Identity(
            kind: .session, credentialID: "s", subject: "x", user: user, email: email, name: name, groups: groups)
    }

    @Test func everyHeaderIsAlwaysThere() throws {
        #expect(
            try text(nil, route(), "token")
                == "Remote-User:\r\nRemote-Email:\r\nRemote-Name:\r\nRemote-Groups:\r\nGatehouse-Assertion:\r\n")
        #expect(
            try text(person(), route(), "t.o.k")
                == "Remote-User: anna\r\nRemote-Email: a@example.com\r\nRemote-Name: Anna\r\nRemote-Groups: a,b\r\n"
                + "Gatehouse-Assertion: t.o.k\r\n")
        #expect(
            try text(person(email: nil, name: "", groups: []), route { $0.assertion = false }, "t")
                == "Remote-User: anna\r\nRemote-Email:\r\nRemote-Name:\r\nRemote-Groups:\r\nGatehouse-Assertion:\r\n")
    }

    @Test func presetsAndMaps() throws {
        let names = ["X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Preferred-Username"]
        #expect(
            IdentityHeaders.Layout.preset(.xAuthRequest).headerNames
                == names + ["X-Auth-Request-Groups", "Gatehouse-Assertion"])
        #expect(
            IdentityHeaders.Layout.preset(.xForwarded).headers.map(\.name)
                == ["X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "X-Forwarded-Groups"])
        let own = try IdentityHeaders.Layout([(.user, "X-WEBAUTH-USER")])
        #expect(try text(person(), route { $0.headers = own }) == "X-WEBAUTH-USER: anna\r\nGatehouse-Assertion:\r\n")
        let fields = try IdentityHeaders.fields(person(), for: route(), assertion: nil)
        #expect(fields.map(\.name).last == "Gatehouse-Assertion" && fields[3].value == "a,b")
    }

    @Test(arguments: ["", "a b", "X:", "Host", "content_length", "Cookie", "Gatehouse-User", "X_Forwarded_For", "ü"])
    func lesson01_namesThatMeanSomethingElseAreRefused(_ name: String) {
        #expect(throws: PolicyError(.badHeaderLayout, "")) { try IdentityHeaders.Layout([(.user, name)]) }
    }

    @Test func lesson57_namesThatFoldTogetherAreRefused() {
        #expect(throws: PolicyError(.badHeaderLayout, "")) {
            try IdentityHeaders.Layout([(.user, "X-User"), (.email, "x_user")])
        }
    }

    @Test func valuesThatAnAppWouldMisreadAreRefused() {
        let unsafe = PolicyError(.unsafeValue, "")
        for identity in [
            person(user: "a\r\nRemote-User: root"), person(user: " admin"), person(user: "admin "),
            person(email: "a\u{7f}@b.c"), person(name: "A\u{0}"),
        ] { #expect(throws: unsafe) { try text(identity, route()) } }
        #expect(throws: unsafe) { try text(person(), route(), "a\nb") }
        #expect(try! text(person(name: "  Änna "), route()).contains("Remote-Name: Änna\r\n"))
    }

    @Test func groupsAreFilteredAndBounded() {
        let shown = route { $0.groupsShown = ["wiki-*", "staff"] }
        let some = person(groups: ["wiki-a", "staff", "secret", "bad,group", "wiki-\u{e4}"])
        #expect(IdentityHeaders.shownGroups(of: some, on: shown).groups == ["staff", "wiki-a"])
        #expect(IdentityHeaders.shownGroups(of: some, on: route()).groups == ["secret", "staff", "wiki-a"])
        let many = person(groups: (100..<300).map { "group-\($0)" + String(repeating: "x", count: 10) })
        let (groups, truncated) = IdentityHeaders.shownGroups(of: many, on: route())
        #expect(truncated && groups.joined(separator: ",").utf8.count <= 2048)
        #expect(groups.count == 2049 / 20)
        let exact = person(groups: (0..<32).map { String($0 + 10) + String(repeating: "y", count: 61) })
        #expect(IdentityHeaders.shownGroups(of: exact, on: route()) == (exact.groups, false))
        for bad in ["", "a b", "a,b", "ä", "a\n", String(repeating: "a", count: 65)] {
            #expect(!GroupName.isValid(bad))
        }
        #expect(GroupName.isValid("corp:a/B_c.d-e@f"))
    }
}
