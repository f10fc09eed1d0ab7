import Core
import Testing

@testable import Accounts

@Suite struct ListPageTests {
    private func page(_ all: [String], _ limit: Int, _ before: String? = nil) throws(AccountsError) -> ListPage<String>
    {
        try ListPage(of: all, limit: limit, before: before, id: { $0 })
    }

    @Test func partsMakeTheWhole() throws {
        let all = ["g", "f", "e", "d", "c", "b", "a"]
        for limit in [1, 2, 3, 6, 7, 8, 200] {
            var seen: [String] = []
            var before: String?
            repeat {
                let part = try page(all, limit, before)
                #expect(part.items.count <= limit && !part.items.isEmpty)
                seen += part.items
                before = part.next
            } while before != nil
            #expect(seen == all)
        }
        #expect(try page([], 5).items.isEmpty && page([], 5).next == nil)
        #expect(try page(all, 5, "a").items.isEmpty)
    }

    @Test(arguments: ["x", "", "g\u{0}", String(repeating: "g", count: 10_000)])
    func whatIsNoPlaceIsRefused(before: String) {
        #expect(throws: AccountsError(.invalid, "")) { try page(["g", "f"], 5, before) }
    }

    @Test(arguments: [0, -1, 201, Int.max]) func limitsAreLimited(limit: Int) {
        #expect(throws: AccountsError(.invalid, "")) { try page(["g"], limit) }
    }

    /// Who signs out on one device while the list is read goes on where they were, and nobody gets to somebody else's.
    @Test func sessionsComeInParts() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations()
        var mine: [SignedIn] = []
        for _ in 0..<7 {
            mine.append(
                try await operations.signIn(
                    user.email, password: TestAccounts.secret(TestAccounts.password), as: .api,
                    from: TestAccounts.client))
            accounts.test.clock.advance(.seconds(1))
        }
        let berts = try await operations.signIn(
            "bert@example.com", password: TestAccounts.secret(TestAccounts.password), as: .api,
            from: TestAccounts.client)
        let me = Principal(userID: user.id, session: mine[6].session, usesCookie: false)
        let first = try operations.sessions(of: me, limit: 3)
        #expect(first.items.map(\.id) == [6, 5, 4].map { mine[$0].session } && first.next == mine[4].session)
        #expect(first.items.map(\.isCurrent) == [true, false, false])
        try await operations.revokeSession(mine[4].session, of: me, from: TestAccounts.client)
        try await operations.revokeSession(mine[3].session, of: me, from: TestAccounts.client)
        let second = try operations.sessions(of: me, limit: 3, before: first.next)
        #expect(second.items.map(\.id) == [2, 1, 0].map { mine[$0].session } && second.next == nil)
        #expect(throws: AccountsError(.invalid, "")) {
            try operations.sessions(of: me, limit: 3, before: berts.session)
        }
    }
}
