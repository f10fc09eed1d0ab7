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

    private struct Row: Equatable {
        let id: String
        let time: Timestamp

        init(_ id: String, _ time: Int64) {
            self.id = id
            self.time = Timestamp(milliseconds: time)
        }
    }

    private func part(_ rows: [Row], _ limit: Int, _ before: String? = nil) throws(AccountsError) -> ListPage<Row> {
        try ListPage(of: rows, limit: limit, before: before, id: \.id, time: \.time)
    }

    /// Whoever removes what a part ended with goes on behind where it stood, also among some of the same moment.
    @Test func aPlaceOutlivesItsRow() throws {
        let rows = [Row("a", 1), Row("b", 2), Row("c", 2), Row("d", 2), Row("e", 3), Row("f", 1_800_000_000_000)]
        let order = ["f", "e", "d", "c", "b", "a"]
        for limit in 1...6 {
            for removes in [false, true] {
                var left = rows
                var seen: [String] = []
                var before: String?
                repeat {
                    let page = try part(left.shuffled(), limit, before)
                    seen += page.items.map(\.id)
                    before = page.next
                    if removes { left.removeAll { $0.id == page.items.last?.id } }
                } while before != nil
                #expect(seen == order)
            }
        }
        // The id of one that is there is a place, too.
        #expect(try part(rows, 2, "c").items.map(\.id) == ["b", "a"])
        #expect(try part(rows, 2, "a").items.isEmpty && part([], 2).items.isEmpty)
        #expect(try part([], 2, "at-1-a").next == nil)
    }

    @Test(arguments: [
        "x", "", "at", "at-", "at--", "at-1", "at-1-", "at--a", "at-g-a", "at-1-a-b", "at-1-ä", "at-1-a\u{0}",
        "at-+1-a", "at--1-a", "at-A-a", "at-ffffffffffffffff-a", "at-00000000000000001-a", "AT-1-a", " at-1-a",
        "at-1-" + String(repeating: "a", count: 41), String(repeating: "at-1-a", count: 10_000),
    ])
    func whatIsNoPlaceInTimeIsRefused(before: String) {
        #expect(throws: AccountsError(.invalid, "")) { try part([Row("a", 1)], 5, before) }
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
