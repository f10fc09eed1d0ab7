import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

/// Hashes that are made anew at a sign-in.
@Suite struct PasswordUpgradeTests {
    /// What an earlier configuration has left.
    private static let old = Argon2Parameters(memoryKiB: 16, passes: 1, lanes: 1)

    @Test func manyFirstSignInsAtTheSameInstantAreAllRight() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let secret = TestAccounts.secret(TestAccounts.password)
        let imported = try PasswordHash.make(secret, parameters: Self.old).text
        try accounts.store.setPassword(of: user.id, hash: imported, by: TestStore.cli)
        let operations = accounts.operations()
        let codes = await withTaskGroup(of: AccountsError.Code?.self) { group in
            for _ in 0..<24 {
                group.addTask {
                    await refusal {
                        _ = try await operations.signIn(
                            "ada@example.com", password: secret, as: .api, from: TestAccounts.client)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes == [AccountsError.Code?](repeating: nil, count: 24))
        let stored = try accounts.store.read { try Tables.passwords.get(user.id, in: $0) }
        let kept = try #require(stored)
        #expect(kept.hash != imported && kept.isStill(imported))
        #expect(try accounts.test.events(AuditFilter(type: "account_locked")).isEmpty)
    }

    @Test func anotherPasswordIsNotTheSame() throws {
        var record = PasswordRecord(hash: "first", changedAt: Timestamp(seconds: 1))
        #expect(record.isStill("first") && !record.isStill("second") && !record.isStill(nil) && !record.isStill(""))
        record.upgrade(to: "second")
        #expect(record.isStill("first") && record.isStill("second") && !record.isStill("third"))
        // Only the last one: nobody is at work with what was before that.
        record.upgrade(to: "third")
        #expect(!record.isStill("first") && record.isStill("second"))
        #expect(!PasswordRecord(hash: "new", changedAt: Timestamp(seconds: 2)).isStill("third"))
    }

    @Test func aPasswordThatWasReplacedMeanwhileIsRefused() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let store = accounts.store
        let secret = TestAccounts.secret(TestAccounts.password)
        let old = try PasswordHash.make(secret, parameters: Self.old).text
        try store.setPassword(of: user.id, hash: old, by: TestStore.cli)
        let gate = PasswordGate(store: store, policy: LockoutPolicy())
        let now = accounts.now
        let attempt = try store.read { transaction in
            try gate.look(
                "ada@example.com", try store.require(user: user.id, in: transaction), TestAccounts.client, at: now,
                in: transaction)
        }
        let verdict = try await accounts.hasher.verify(secret, against: attempt.hash)
        try store.setPassword(of: user.id, hash: accounts.hasher.hashAndWait(secret).text, by: TestStore.cli)
        let unlock = try SecretText(store.random)
        let judged = try store.write { transaction in
            try gate.judge(attempt, verdict, event: .signIn, unlock: unlock, at: now, in: transaction)
        }
        #expect(judged.refusal.code == .invalidCredentials)
        if case .right = judged { Issue.record("the password of before signs in") }
    }
}
