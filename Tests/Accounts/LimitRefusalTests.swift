import Core
import Testing

@testable import Accounts

@Suite struct LimitRefusalTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)

    private func events(_ accounts: TestAccounts) throws -> [AuditEvent] {
        try accounts.store.auditEvents(after: 0).filter { $0.reason == "rate_limited" && !$0.success }
    }

    /// What was refused is told of within a second, and a flood of it once a minute with how often it was.
    @Test func whatTheLimitsRefuseIsInTheAuditLog() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let one = RateLimit(count: 1, per: .seconds(3600), burst: 1)
        let operations = accounts.operations { $0.limits = LimitPolicy(signIn: one, mail: one) }
        let wrong = TestAccounts.secret("wrong all the time")
        for _ in 0..<10 {
            _ = await refusal {
                _ = try await operations.signIn(user.email, password: wrong, as: .api, from: TestAccounts.outsider)
            }
        }
        for _ in 0..<3 {
            _ = await refusal { try await operations.forgotPassword("nobody@example.com", from: TestAccounts.outsider) }
        }
        try accounts.limiter.drain(into: accounts.store)
        let first = try events(accounts)
        #expect(first.map(\.type).sorted() == ["password_reset_requested", "sign_in"])
        let signIn = try #require(first.first { $0.type == "sign_in" })
        #expect(signIn.metadata["count"] == .integer(9) && signIn.metadata["limit"] == .string("sign_in"))
        #expect(signIn.ipAddress == "203.0.113.7" && signIn.userAgent == "curl/8.14" && signIn.requestID == "r2")
        #expect(signIn.actor == "anonymous" && signIn.user == nil && signIn.userID == nil)
        for _ in 0..<5 {
            _ = await refusal {
                _ = try await operations.signIn(user.email, password: wrong, as: .api, from: TestAccounts.outsider)
            }
            accounts.test.clock.advance(.seconds(5))
            try accounts.limiter.drain(into: accounts.store)
        }
        #expect(try events(accounts).count == 2, "not before the minute is over")
        accounts.test.clock.advance(.seconds(60))
        try accounts.limiter.drain(into: accounts.store)
        let counts = try events(accounts).filter { $0.type == "sign_in" }.map { $0.metadata["count"] }
        #expect(counts == [.integer(9), .integer(5)])
        // Nothing more is told when nothing more was refused.
        for _ in 0..<5 {
            accounts.test.clock.advance(.seconds(60))
            try accounts.limiter.drain(into: accounts.store)
        }
        #expect(try events(accounts).count == 3 && accounts.store.check().isEmpty)
    }

    /// What an account or a session did too often is told of with whose it is.
    @Test func whoIsSignedInIsNamed() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let one = RateLimit(count: 1, per: .seconds(3600), burst: 1)
        let operations = accounts.operations { $0.limits = LimitPolicy(refresh: one, keys: one) }
        let password = TestAccounts.secret(TestAccounts.password)
        let tokens = try #require(
            try await operations.signIn(user.email, password: password, as: .api, from: TestAccounts.client).tokens)
        let next = try await operations.refresh(tokens.refreshToken, from: TestAccounts.client)
        for _ in 0..<3 {
            #expect(
                await refusal { _ = try await operations.refresh(next.refreshToken, from: TestAccounts.outsider) }
                    == .rateLimited)
        }
        let reader = try AccountReader(store: accounts.store)
        let principal = try operations.principal(reader.read(next.accessToken, .bearer, at: accounts.now).identity)
        let new = NewAPIKey(user: "", name: "key")
        let key = try await operations.createAPIKey(new, of: principal, from: TestAccounts.client)
        for _ in 0..<2 {
            #expect(
                await refusal {
                    _ = try await operations.createAPIKey(new, of: principal, from: TestAccounts.outsider)
                } == .rateLimited)
        }
        #expect(
            await refusal {
                _ = try await operations.rotateAPIKey(key.key.id, of: principal, from: TestAccounts.outsider)
            } == .rateLimited)
        let tight = accounts.operations { $0.limits = LimitPolicy(signIn: one) }
        for expected in [nil, AccountsError.Code.rateLimited] {
            #expect(
                await refusal {
                    _ = try await tight.reauthenticate(principal, password: password, from: TestAccounts.outsider)
                } == expected)
        }
        try accounts.limiter.drain(into: accounts.store)
        let told = try events(accounts)
        let types = ["api_key_created", "api_key_rotated", "reauthenticated", "token_issued"]
        #expect(told.map(\.type).sorted() == types)
        for event in told {
            #expect(event.user == user.username && event.userID == user.id && event.actor == user.username)
            #expect(event.ipAddress == "203.0.113.7")
        }
        let counts = Dictionary(told.map { ($0.type, $0.metadata["count"]) }) { first, _ in first }
        #expect(counts["token_issued"] == .integer(3) && counts["api_key_created"] == .integer(2))
        #expect(told.first { $0.type == "token_issued" }?.metadata["limit"] == .string("refresh"))
        #expect(told.first { $0.type == "api_key_created" }?.metadata["limit"] == .string("keys"))
    }

    /// Of many at once those that are not told apart are nobody's.
    @Test func whoIsNotToldApartIsNotNamed() {
        var refusals = LimitRefusals()
        for index in 0..<(LimitRefusals.maximumPlaces + 2) {
            refusals.add(.apiKeyCreated, .keys, TestAccounts.outsider, userID: "usr_\(index)", at: start)
        }
        let groups = refusals.take(at: start)
        #expect(groups.count == LimitRefusals.maximumPlaces + 1)
        #expect(groups.count { $0.userID == nil } == 1 && groups.first { $0.userID == nil }?.count == 2)
        #expect(Set(groups.compactMap(\.userID)).count == LimitRefusals.maximumPlaces)
    }

    /// However many places a flood comes from, and however long it lasts, it is so many events a minute.
    @Test func aFloodIsNoFloodOfEvents() {
        var refusals = LimitRefusals()
        var told = 0
        var counted: Int64 = 0
        for second in 0..<120 {
            let now = start + .seconds(Int64(second))
            for number in 0..<1000 {
                let address = IPAddress("10.\(second).\(number % 250).\(number / 250)")
                refusals.add(.signIn, .signIn, Client(address: address), at: now)
            }
            let groups = refusals.take(at: now)
            told += groups.count
            for group in groups {
                counted += group.count
                #expect(group.addresses.count <= AccessRecord.maximumAddresses)
            }
        }
        for group in refusals.take(at: start, all: true) { counted += group.count }
        #expect(told <= 3 * (LimitRefusals.maximumPlaces + 1), "\(told)")
        #expect(counted == 120_000)
    }

    @Test func aClockThatWasSetBackKeepsNothingBack() {
        var refusals = LimitRefusals()
        refusals.add(.signIn, .signIn, TestAccounts.outsider, at: start)
        #expect(refusals.take(at: start).count == 1)
        refusals.add(.signIn, .signIn, TestAccounts.outsider, at: start - .seconds(7200))
        #expect(refusals.take(at: start - .seconds(7200)).count == 1)
    }
}
