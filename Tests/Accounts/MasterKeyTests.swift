import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct MasterKeyTests {
    /// A store that has something in every place that is sealed.
    private func filled() async throws -> (accounts: TestAccounts, authenticator: Authenticator) {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
        try accounts.test.tamper { transaction in
            let sealed = try keys(7).seal([1, 2, 3], in: .providerTokens, key: "ses_1")
            try Tables.providerTokens.put(
                ProviderTokensRecord(
                    userID: "usr_1", provider: "corp", issuer: "https://id.example.com", subject: "ada",
                    sealed: Base64.encode(sealed), obtainedAt: accounts.now, expiresAt: nil, isRefreshable: false),
                for: "ses_1", in: transaction)
        }
        return (accounts, authenticator)
    }

    /// Under which keys each place's rows are sealed. Exhaustive, so that a new place is looked at here as well.
    private func seals(_ store: Store) throws -> [SealedField: Set<[UInt8]>] {
        try store.read { transaction in
            var seals: [SealedField: Set<[UInt8]>] = [:]
            for field in SealedField.allCases {
                var ids: Set<[UInt8]> = []
                func note(_ sealed: [UInt8]?) {
                    if let sealed { ids.insert(Array(sealed.prefix(4))) }
                }
                switch field {
                case .totpSecret:
                    try Tables.totp.forEach(in: transaction) { _, record, _ in
                        note(Base64.decode(record.sealed))
                        return true
                    }
                case .signingKey:
                    try Tables.keys.forEach(in: transaction) { _, record, _ in
                        note(Base64.decode(record.sealedKey))
                        return true
                    }
                case .providerTokens:
                    try Tables.providerTokens.forEach(in: transaction) { _, record, _ in
                        note(Base64.decode(record.sealed))
                        return true
                    }
                case .mailLink:
                    try Tables.outbox.forEach(in: transaction) { _, record, _ in
                        note(record.sealedLink)
                        return true
                    }
                }
                seals[field] = ids
            }
            return seals
        }
    }

    private func keys(_ current: UInt8, _ previous: UInt8...) throws -> MasterKeys {
        try MasterKeys(current: TestStore.key(current), previous: previous.map(TestStore.key))
    }

    @Test func everythingThatIsSealedIsSealedAnewWhileTheStoreIsOpen() async throws {
        let (accounts, authenticator) = try await filled()
        let store = accounts.store
        let old = try keys(7).current.id
        #expect(try seals(store).allSatisfy { $0.value == [old] }, "every place has to have something in this test")
        let new = try keys(8).current.id
        try store.adopt(handover: try keys(8, 7).handover(of: TestStore.key(8)))
        let report = try store.rotateMasterKey(by: TestStore.cli)
        #expect(report.unreadable.isEmpty && report.resealed.count == SealedField.allCases.count)
        #expect(report.resealed.allSatisfy { $0.value > 0 })
        #expect(try seals(store).allSatisfy { $0.value == [new] })
        #expect(try store.rotateMasterKey(by: TestStore.cli).total == 0)
        #expect(try accounts.test.events(AuditFilter(type: "master_key_rotated")).count == 1)
        // The old key opens nothing any more, and nothing needs it.
        try accounts.test.reopen(masterKey: 8)
        let reopened = accounts.test.store
        #expect(try reopened.checkMasterKeys().isEmpty)
        #expect(try reopened.verifyAudit().problem == nil)
        let user = try reopened.user("ada@example.com").id
        let record = try #require(try reopened.read { try Tables.totp.get(user, in: $0) })
        let code = try authenticator.code(at: accounts.now)
        #expect(try reopened.step(of: code, record, user: user, at: accounts.now) != nil)
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try accounts.test.reopen(masterKey: 7) }
    }

    @Test func aRotationThatWasCutShortGoesOn() async throws {
        let (accounts, _) = try await filled()
        let test = accounts.test
        for index in 0..<30 {
            try test.addUser("user\(index)@example.com")
            _ = try accounts.store.resetFactors(of: "user\(index)@example.com", printsLink: false, by: TestStore.cli)
        }
        try test.reopen(masterKey: 8, previous: [7])
        // What stopped in the middle has done some rows of one table and none of another.
        let keys = try keys(8, 7)
        try test.tamper { transaction in
            for id in try Tables.outbox.keys(limit: 10, in: transaction) {
                guard var record = try Tables.outbox.get(id, in: transaction), let sealed = record.sealedLink else {
                    continue
                }
                let plain = try keys.open(sealed, in: .mailLink, key: id).withUnsafeBytes { Array($0) }
                record.sealedLink = try keys.seal(plain, in: .mailLink, key: id)
                try Tables.outbox.put(record, for: id, in: transaction)
            }
        }
        let report = try test.store.rotateMasterKey(by: TestStore.cli)
        #expect(report.resealed["outbox/link"] ?? 0 >= 20 && report.unreadable.isEmpty)
        let new = try MasterKeys(current: TestStore.key(8)).current.id
        #expect(try seals(test.store).allSatisfy { $0.value == [new] })
    }

    @Test func whatNoKeyOpensIsNamedAndStopsNothingElse() async throws {
        let (accounts, _) = try await filled()
        let user = try accounts.store.user("ada@example.com").id
        try accounts.test.reopen(masterKey: 8)
        let report = try accounts.test.store.rotateMasterKey(by: TestStore.cli)
        #expect(report.unreadable.contains("totp/secret of \(user)") && report.total == 0)
        #expect(try accounts.test.events(AuditFilter(type: "master_key_rotated")).isEmpty)
        try accounts.test.reopen(masterKey: 8, previous: [7])
        #expect(try accounts.test.store.rotateMasterKey(by: TestStore.cli).unreadable.isEmpty)
    }

    @Test func moreRowsThanOneTransactionTakes() throws {
        let test = try TestStore()
        let keys = try keys(7)
        let now = test.now
        try test.tamper { transaction in
            for index in 0..<2500 {
                let id = "usr_\(index)"
                let sealed = try keys.seal([1, 2, 3], in: .totpSecret, key: id)
                try Tables.totp.put(
                    TOTPRecord(
                        sealed: Base64.encode(sealed), algorithm: "SHA1", digits: 6, period: 30, createdAt: now),
                    for: id, in: transaction)
            }
        }
        try test.reopen(masterKey: 8, previous: [7])
        #expect(try test.store.rotateMasterKey(by: TestStore.cli).resealed["totp/secret"] == 2500)
    }

    /// Whatever was sealed before the key came and is stored after it.
    @Test func aSetUpThatWasOnItsWayIsUnderTheNewKey() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let user = try accounts.addPerson()
        let signedIn = try await accounts.signIn(operations)
        let made = try operations.materials(
            for: user.id, owner: signedIn.session, showsCodes: false, at: accounts.now)
        let store = accounts.store
        try store.adopt(handover: try keys(8, 7).handover(of: TestStore.key(8)))
        let now = accounts.now
        _ = try store.write { transaction in
            guard let record = try Tables.users.get(user.id, in: transaction) else { return }
            _ = try store.begin(made, of: record, issuer: "x", by: TestStore.cli, at: now, in: transaction)
        }
        let new = try keys(8).current.id
        #expect(try seals(store)[.totpSecret] == [new])
    }

    @Test func aKeyIsHandedOverToWhoHasOneOfOursAlone() throws {
        let test = try TestStore()
        let store = test.store
        for stranger in [try keys(8), try keys(8, 9)] {
            let handover = try stranger.handover(of: TestStore.key(8))
            #expect(throws: AccountsError(.wrongMasterKey, "")) { try store.adopt(handover: handover) }
        }
        for nonsense in ["", "%", "AAAA", String(repeating: "A", count: 100_000)] {
            #expect(throws: AccountsError.self) { try store.adopt(handover: nonsense) }
        }
        let handover = try keys(8, 7).handover(of: TestStore.key(8))
        #expect(!handover.contains(Base64.encode([UInt8](repeating: 8, count: 32))))
        try store.adopt(handover: handover)
        try store.adopt(handover: handover)
        #expect(try store.masterKeys().previous.count == 1)
        // With it the store goes on, also for commands that have no master key.
        try test.addUser()
        try test.reopen(masterKey: nil)
        #expect(try test.store.verifyAudit().problem == nil)
    }

    @Test func theAuditLogIsSealedUnderTheNewKeyWithItsPruning() async throws {
        let (accounts, _) = try await filled()
        let test = accounts.test
        test.clock.advance(.seconds(86_400 * 3))
        try test.addUser("later@example.com")
        #expect(try accounts.store.pruneAudit(retention: .seconds(86_400), by: TestStore.cli) > 0)
        try accounts.store.adopt(handover: try keys(8, 7).handover(of: TestStore.key(8)))
        _ = try accounts.store.rotateMasterKey(by: TestStore.cli)
        try test.reopen(masterKey: 8)
        let verified = try test.store.verifyAudit()
        #expect(verified.problem == nil && verified.isSealed)
        #expect(try test.events(AuditFilter(type: "audit_resealed")).isEmpty)
    }
}
