import Core
import LMDB
import Testing

@testable import Accounts

@Suite struct LockoutTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let wrong = TestAccounts.secret("another password entirely")

    private func fail(
        _ operations: AccountOperations, _ identifier: String, from client: Client = TestAccounts.outsider,
        times: Int = 1
    ) async -> [AccountsError.Code?] {
        var codes: [AccountsError.Code?] = []
        for _ in 0..<times {
            codes.append(
                await refusal {
                    _ = try await operations.signIn(identifier, password: wrong, as: .api, from: client)
                })
        }
        return codes
    }

    private func code(
        _ operations: AccountOperations, _ identifier: String = "ada@example.com", from client: Client,
        as face: SignInFace = .api
    ) async -> AccountsError.Code? {
        await refusal { _ = try await operations.signIn(identifier, password: right, as: face, from: client) }
    }

    @Test func lesson13_14_allSpellingsAndNamesShareOneCount() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson(username: "ada")
        let operations = accounts.operations()
        for identifier in ["ada", "ADA", "ada@example.com", "Ada@Example.com", "aDa"] {
            #expect(await fail(operations, identifier) == [.invalidCredentials])
        }
        for identifier in ["ada", "ada@example.com"] {
            #expect(await code(operations, identifier, from: TestAccounts.client) == .accountLocked)
            #expect(
                await code(operations, identifier, from: TestAccounts.client, as: .page(remember: true))
                    == .accountLocked)
        }
        let locked = try #require(try accounts.test.events(AuditFilter(type: "account_locked")).first)
        #expect(locked.user == "ada" && locked.ipAddress == "203.0.113.7")
        let mail = try #require(try accounts.mails().last { $0.template == "account_locked" })
        #expect(mail.to == "ada@example.com")
        accounts.test.clock.advance(.seconds(1800))
        #expect(await code(operations, from: TestAccounts.client) == nil)
    }

    @Test func aLockHasAnEndAndSaysWhen() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations { $0.lockout = LockoutPolicy(failures: 2, period: .seconds(100)) }
        _ = await fail(operations, "ada@example.com", times: 2)
        accounts.test.clock.advance(.seconds(40))
        do {
            _ = try await operations.signIn(
                "ada@example.com", password: right, as: .api, from: TestAccounts.client)
            Issue.record("a locked account signed in")
        } catch {
            #expect(error.code == .accountLocked && error.retryAfter == .seconds(60))
        }
        // Tries during the lock do not make it longer.
        _ = await fail(operations, "ada@example.com", times: 5)
        accounts.test.clock.advance(.seconds(60))
        #expect(await code(operations, from: TestAccounts.client) == nil)
    }

    @Test func failuresAreForgottenAfterThePeriodAndBySuccessFromTheSamePlaceOnly() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        _ = await fail(operations, "ada@example.com", times: 4)
        accounts.test.clock.advance(.seconds(1801))
        #expect(await fail(operations, "ada@example.com", times: 4).allSatisfy { $0 == .invalidCredentials })
        // The owner signs in from elsewhere; the guesser's count stays.
        #expect(await code(operations, from: TestAccounts.client) == nil)
        _ = await fail(operations, "ada@example.com")
        #expect(await code(operations, from: TestAccounts.client) == .accountLocked)
        accounts.test.clock.advance(.seconds(1801))
        _ = await fail(operations, "ada@example.com", from: TestAccounts.client, times: 4)
        #expect(await code(operations, from: TestAccounts.client) == nil)
        _ = await fail(operations, "ada@example.com", from: TestAccounts.client, times: 4)
        #expect(await code(operations, from: TestAccounts.client) == nil)
    }

    @Test func anOutsiderCannotLockAKnownDeviceOut() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.client)
        var known = TestAccounts.client
        known.deviceToken = signedIn.deviceToken
        _ = await fail(operations, "ada@example.com", times: 5)
        #expect(await code(operations, from: TestAccounts.client) == .accountLocked)
        #expect(await code(operations, from: known, as: .page(remember: false)) == nil)
        // A device that is known has no more tries than others, and locks itself alone.
        accounts.test.clock.advance(.seconds(1801))
        #expect(
            await fail(operations, "ada@example.com", from: known, times: 5).allSatisfy { $0 == .invalidCredentials })
        #expect(await code(operations, from: known) == .accountLocked)
        #expect(await code(operations, from: TestAccounts.outsider) == nil)
        // It is no use with another account.
        try accounts.addPerson("bert@example.com")
        _ = await fail(operations, "bert@example.com", times: 5)
        #expect(await code(operations, "bert@example.com", from: known) == .accountLocked)
    }

    @Test func lesson72_guessesAtTheSameInstantAreAllCounted() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let codes = await withTaskGroup(of: AccountsError.Code?.self) { group in
            for index in 0..<40 {
                let password = index == 39 ? right : wrong
                group.addTask {
                    await refusal {
                        _ = try await operations.signIn(
                            "ada@example.com", password: password, as: .api, from: TestAccounts.outsider)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // However they are ordered, five are judged wrong at most, and the lock holds for all others.
        #expect(codes.filter { $0 == .invalidCredentials }.count == 5)
        #expect(codes.filter { $0 == .accountLocked }.count >= 34)
        #expect(try accounts.test.events(AuditFilter(type: "account_locked")).count == 1)
    }

    @Test func aLockIsLiftedByLinkAndByTheOperator() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        _ = await fail(operations, "ada@example.com", times: 5)
        let token = try accounts.token("account_locked")
        try await operations.unlock(token, from: TestAccounts.client)
        #expect(await code(operations, from: TestAccounts.client) == nil)
        #expect(await refusal { try await operations.unlock(token, from: TestAccounts.client) } == .invalidToken)
        _ = await fail(operations, "ada@example.com", times: 5)
        #expect(try accounts.store.unlockUser("ada@example.com", by: TestStore.cli))
        #expect(try !accounts.store.unlockUser("ada@example.com", by: TestStore.cli))
        #expect(await code(operations, from: TestAccounts.client) == nil)
    }

    @Test func aDeviceThatIsKnownIsUnlockedWithTheAccount() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.client)
        var known = TestAccounts.client
        known.deviceToken = signedIn.deviceToken
        _ = await fail(operations, "ada@example.com", from: known, times: 5)
        #expect(await code(operations, from: known) == .accountLocked)
        try await operations.unlock(try accounts.token("account_locked"), from: TestAccounts.outsider)
        #expect(await code(operations, from: known) == nil)
        let event = try #require(try accounts.test.events(AuditFilter(type: "account_unlocked")).first)
        #expect(event.metadata["was_locked"] == .boolean(true))
        _ = await fail(operations, "ada@example.com", from: known, times: 5)
        #expect(try accounts.store.unlockUser("ada@example.com", by: TestStore.cli))
        #expect(await code(operations, from: known) == nil)
    }

    @Test func aClockThatIsSetBackMakesNoLockLonger() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        _ = await fail(operations, "ada@example.com", times: 5)
        _ = await fail(operations, "nobody@example.com", times: 5)
        // As much as an attempt may have waited for its turn is no other clock.
        accounts.test.clock.advance(.seconds(-30))
        #expect(await code(operations, from: TestAccounts.client) == .accountLocked)
        accounts.test.clock.advance(.seconds(-86_400))
        #expect(await fail(operations, "nobody@example.com") == [.invalidCredentials])
        #expect(await code(operations, from: TestAccounts.client, as: .page(remember: false)) == nil)
    }

    @Test func wrongKeysNeverLockAnAccount() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let reader = try AccountReader(store: accounts.store)
        for _ in 0..<50 { #expect(reader.read("gate_wrong", .basicPassword, at: accounts.now).reason != nil) }
        #expect(await code(accounts.operations(), from: TestAccounts.client) == nil)
    }

    @Test func theRecordIsBounded() {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        var record = LockoutRecord(at: now)
        let policy = LockoutPolicy(failures: 1_000_000, period: .seconds(100))
        for index in 0..<1000 {
            let hasLocked = record.fail(from: "place \(index)", policy, at: now)
            #expect(!hasLocked)
        }
        #expect(record.shares.count <= LockoutRecord.maximumShares + 1)
        // A clock that was set back far does not keep anything for ever.
        record.lockedUntil = now + .seconds(100)
        record.succeed(from: "x", policy, at: now - .seconds(10_000))
        #expect(record.lockedUntil == nil && record.shares.isEmpty)
    }

    @Test func sweptRowsAreGone() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        for index in 0..<20 { _ = await fail(operations, "nobody\(index)@example.com") }
        accounts.test.clock.advance(.seconds(1801))
        while try accounts.store.sweep() > 0 {}
        let left = try accounts.store.read { try Tables.lockouts.count(in: $0) }
        #expect(left == 0)
    }
}
