import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

/// Who may open a store whose master key is being changed, and with what.
@Suite struct MasterKeyMarkTests {
    private func keys(_ current: UInt8, _ previous: UInt8...) throws -> MasterKeys {
        try MasterKeys(current: TestStore.key(current), previous: previous.map(TestStore.key))
    }

    private func filled() throws -> TestStore {
        let test = try TestStore()
        _ = try test.store.maintainSigningKeys()
        return test
    }

    /// An authenticator as key `key` seals it.
    private func enrol(_ test: TestStore, _ user: String, key: UInt8, active: Bool = true) throws {
        let sealed = try keys(key).seal([1, 2, 3], in: .totpSecret, key: user)
        let record = TOTPRecord(
            sealed: Base64.encode(sealed), algorithm: "SHA1", digits: 6, period: 30, createdAt: test.now,
            activeSince: active ? test.now : nil)
        try test.tamper { try Tables.totp.put(record, for: user, in: $0) }
    }

    /// The first transaction of a rotation, as `kill -9` leaves it.
    private func beginRotation(_ test: TestStore, _ keys: MasterKeys) throws {
        let store = test.store
        let first = try #require(SealedField.allCases.first)
        #expect(first == .signingKey)
        _ = try store.write { transaction in
            var batch = ResealBatch()
            try first.reseal(&batch, keys, in: transaction)
            try Store.mark(keys, at: store.clock.now(), in: transaction)
        }
    }

    @Test func aRotationThatWasCutShortIsRefusedWithTheOldKeyAlone() throws {
        let test = try filled()
        try enrol(test, "usr_1", key: 7)
        try test.reopen(masterKey: 8, previous: [7])
        try beginRotation(test, try keys(8, 7))
        let file = try AuditKeyFile.read(folder: test.folder).keys.map(\.id)
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.reopen(masterKey: 7) }
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.reopen(masterKey: 9, previous: [7]) }
        #expect(try AuditKeyFile.read(folder: test.folder).keys.map(\.id) == file, "nothing was put in its place")
        // What has no master key goes on, and seals the audit log under the new one.
        try test.reopen(masterKey: nil)
        try test.addUser()
        try test.reopen(masterKey: 7, previous: [8])
        #expect(try test.store.verifyAudit().problem == nil)
        #expect(try test.store.checkMasterKeys().isEmpty)
        try test.reopen(masterKey: 8, previous: [7])
        #expect(try test.store.rotateMasterKey(by: TestStore.cli).resealed["totp/secret"] == 1)
        #expect(try test.events(AuditFilter(type: "audit_resealed")).isEmpty)
    }

    @Test func keysThatAreNoneOfTheStoresLeaveNoMark() throws {
        let test = try filled()
        try test.reopen(masterKey: 8, previous: [9])
        #expect(try !test.store.rotateMasterKey(by: TestStore.cli).unreadable.isEmpty)
        try test.reopen(masterKey: 7)
        #expect(try test.store.checkMasterKeys().isEmpty)
    }

    @Test func aKeyThatWasHandedOverIsMarkedAndOnDiskBeforeItSeals() throws {
        let test = try filled()
        try test.store.adopt(handover: try keys(8, 7).handover(of: TestStore.key(8)))
        #expect(try AuditKeyFile.read(folder: test.folder).keys.map(\.id) == keys(8, 7).auditKeys.keys.map(\.id))
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.reopen(masterKey: 7) }
    }

    @Test func aKeyThatCannotBePutOnDiskIsNotTaken() throws {
        let test = try filled()
        try test.store.adopt(handover: try keys(8, 7).handover(of: TestStore.key(8)))
        // The mark cannot be written any more: as it was before.
        let store = test.store
        store.environment.close()
        #expect(throws: AccountsError.self) { try store.adopt(handover: try keys(9, 8).handover(of: TestStore.key(9))) }
        #expect(try store.masterKeys().currentID == keys(8).currentID)
        let sealing = try #require(try AuditKeyFile.read(folder: test.folder).sealing)
        #expect(try sealing.id == keys(8).auditKeys.sealing?.id)
    }

    @Test func everySealIsHeldAgainstTheKeysAtTheStart() throws {
        let test = try filled()
        // More than one reading takes.
        let (own, now) = (try keys(7), test.now)
        try test.tamper { transaction in
            for index in 0..<10_500 {
                let sealed = try own.seal([1], in: .totpSecret, key: "usr_\(index)")
                let record = TOTPRecord(
                    sealed: Base64.encode(sealed), algorithm: "SHA1", digits: 6, period: 30, createdAt: now,
                    activeSince: now)
                try Tables.totp.put(record, for: "usr_\(index)", in: transaction)
            }
        }
        #expect(try test.store.checkMasterKeys().isEmpty)
        // One that nobody has proved keeps nobody out.
        try enrol(test, "usr_z_begun", key: 9, active: false)
        #expect(
            try test.store.checkMasterKeys() == [
                "no master key that is configured opens totp/secret of usr_z_begun"
            ])
        try enrol(test, "usr_z_lost", key: 9)
        do {
            _ = try test.store.checkMasterKeys()
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .wrongMasterKey && error.message.contains("totp/secret of usr_z_lost"))
            #expect(!error.message.contains("usr_z_begun"))
        }
        try test.reopen(masterKey: 7, previous: [9])
        #expect(try test.store.checkMasterKeys().isEmpty)
    }

    @Test func anOldSigningKeyThatNothingOpensKeepsNobodyOut() throws {
        let test = try filled()
        let first = try test.store.signingKeys().map(\.kid)
        // Under key 8 the next ones are made and take over.
        try test.reopen(masterKey: 8, previous: [7])
        _ = try test.store.rotateSigningKeys(by: TestStore.cli)
        try test.reopen(masterKey: 8)
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.store.checkMasterKeys() }
        test.clock.advance(.seconds(86_401))
        let warnings = try test.store.checkMasterKeys()
        #expect(warnings.count == first.count && first.allSatisfy { kid in warnings.contains { $0.hasSuffix(kid) } })
        // The next one counts as the current one does.
        try test.reopen(masterKey: 9, previous: [8])
        _ = try test.store.rotateSigningKeys(by: TestStore.cli)
        try test.reopen(masterKey: 8)
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.store.checkMasterKeys() }
    }

    @Test func anOldBackupTakesTheKeyThatSealedIt() throws {
        let test = try filled()
        let backup = try TestStore.makeFolder() + "/backup"
        defer { TestStore.remove(backup) }
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        try test.reopen(masterKey: 8, previous: [7])
        _ = try test.store.rotateMasterKey(by: TestStore.cli)
        test.close()
        func restore(_ current: UInt8, _ previous: [UInt8] = []) throws {
            let (store, _) = try Store.restore(
                from: backup, into: TestStore.configuration(test.folder, masterKey: current, previous: previous),
                clock: test.clock, random: test.random, by: TestStore.cli)
            test.replace(store)
        }
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try restore(8) }
        try restore(8, [7])
        #expect(try test.store.checkMasterKeys().isEmpty)
        #expect(try test.store.rotateMasterKey(by: TestStore.cli).resealed["keys/private_key"] ?? 0 > 0)
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try test.reopen(masterKey: 7) }
    }

    @Test func whatCannotBeReadIsNamedAndNotPassedOver() throws {
        let test = try filled()
        for (user, sealed) in [("usr_1", "%%%"), ("usr_2", ""), ("usr_3", "AAAA")] {
            let record = TOTPRecord(sealed: sealed, algorithm: "SHA1", digits: 6, period: 30, createdAt: test.now)
            try test.tamper { try Tables.totp.put(record, for: user, in: $0) }
        }
        try test.reopen(masterKey: 8, previous: [7])
        let report = try test.store.rotateMasterKey(by: TestStore.cli)
        #expect(report.unreadable == ["usr_1", "usr_2", "usr_3"].map { "totp/secret of \($0)" })
        #expect(report.resealed["keys/private_key"] ?? 0 > 0)
        #expect(try test.events(AuditFilter(type: "master_key_rotated")).isEmpty)
        #expect(try test.store.checkMasterKeys().count == 1)
    }

    /// The raw reading sees the same key as the decoded row has.
    @Test func theIdIsReadOffEveryKindOfRow() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        _ = try await accounts.enrolled(operations)
        try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
        try accounts.test.tamper { transaction in
            let sealed = try keys(9).seal([1], in: .providerTokens, key: "ses_1")
            try Tables.providerTokens.put(
                ProviderTokensRecord(
                    userID: "usr_1", provider: "\"sealed\":\"AAAAAAAA", issuer: "x", subject: "\"sealed\":\"",
                    sealed: Base64.encode(sealed), obtainedAt: accounts.now, expiresAt: nil, isRefreshable: false),
                for: "ses_1", in: transaction)
        }
        try accounts.store.read { transaction in
            for field in SealedField.allCases {
                var seen: [SealID] = []
                try field.rows.forEach(in: transaction) { _, _, bytes in
                    seen.append(field.sealID(of: bytes))
                    return true
                }
                let expected = try keys(field == .providerTokens ? 9 : 7).current.id
                #expect(seen.contains(.key(expected)), "\(field)")
                #expect(seen.allSatisfy { $0 == .key(expected) || field == .mailLink && $0 == .none }, "\(field)")
            }
        }
        #expect(
            try accounts.store.checkMasterKeys()
                == ["no master key that is configured opens provider_tokens/tokens of ses_1"])
    }
}
