import Core
import Glibc
import LMDB
import Testing

@testable import Accounts

/// Checks, backups and restores of stores that are not as they should be.
@Suite struct KeepingTests {
    private func served() throws -> TestStore {
        let test = try TestStore()
        try test.store.serverStarted()
        try test.store.maintainSigningKeys()
        try test.addUser()
        try test.addUser("bob@example.com")
        try test.store.serverStopped()
        return test
    }

    private func restore(
        _ backup: String, _ test: TestStore, export: [String]? = nil, despiteProblems: Bool = false
    ) throws -> RestoreReport {
        test.close()
        let (store, report) = try Store.restore(
            from: backup, into: TestStore.configuration(test.folder, masterKey: 7), auditExport: export,
            despiteProblems: despiteProblems, clock: test.clock, random: test.random, by: TestStore.cli)
        test.replace(store)
        return report
    }

    private func export(_ test: TestStore) throws -> [String] {
        var lines: [String] = []
        try test.store.exportAudit { lines.append($0.jsonLine) }
        return lines
    }

    private func changeAnEvent(_ test: TestStore) throws {
        try test.tamper { transaction in
            guard var stored = try Tables.audit.get(3, in: transaction) else { return }
            stored.bytes[stored.bytes.count - 10] ^= 1
            try Tables.audit.put(stored, for: 3, in: transaction)
        }
    }

    // MARK: store check

    @Test func aRowThatCannotBeReadIsFoundInEveryTable() throws {
        let test = try served()
        #expect(try test.store.check() == [])
        // Under a key that every table's keys can be made of.
        for (name, key) in [("users", "x"), ("totp", "x"), ("sessions", "x"), ("keys", "x"), ("webhooks", "x")] {
            let raw = Table<String, StoredEvent>(name)
            try test.tamper { try raw.put(StoredEvent(bytes: Array("{\"".utf8)), for: key, in: $0) }
            #expect(try test.store.check() == ["table \(name) has 1 rows that cannot be read"])
            try test.tamper { try raw.delete(key, in: $0) }
        }
        #expect(try test.store.check() == [])
    }

    @Test func whatLeadsNowhereIsFound() throws {
        let test = try served()
        let ada = try test.store.user("ada@example.com")
        let digest = [UInt8](repeating: 7, count: 32)
        let ways: [(String, @Sendable (borrowing WriteTransaction) throws -> Void)] = [
            ("sessions_by_user", { try Tables.sessionsByUser.put(EmptyRecord(), for: KeyPair(ada.id, "s"), in: $0) }),
            (
                "passkeys_by_user",
                { try Tables.passkeysByUser.put(EmptyRecord(), for: KeyPair(ada.id, digest), in: $0) }
            ),
            ("links_by_user", { try Tables.linksByUser.put(EmptyRecord(), for: KeyPair(ada.id, digest), in: $0) }),
            (
                "social_by_user",
                {
                    try Tables.socialAccountsByUser.put(EmptyRecord(), for: KeyPair(ada.id, digest), in: $0)
                }
            ),
            (
                "passwords",
                {
                    try Tables.passwords.put(
                        PasswordRecord(hash: "$argon2id$x", changedAt: Timestamp(seconds: 1)), for: "usr_none", in: $0)
                }
            ),
            ("audit_by_user", { try Tables.auditByUser.put(EmptyRecord(), for: KeyPair("x", UInt64(999)), in: $0) }),
            ("audit_by_user", { try Tables.auditByUser.removeAll(in: $0) }),
        ]
        for (number, (name, change)) in ways.enumerated() {
            try test.tamper(change)
            let problems = try test.store.check()
            #expect(problems.count == number + 1 || number == 6, "\(problems)")
            #expect(problems.contains { $0.hasPrefix(name) })
        }
    }

    @Test func anEventThatWasChangedIsFound() throws {
        let test = try served()
        try changeAnEvent(test)
        let problems = try test.store.check()
        #expect(problems.count == 1 && problems[0].hasPrefix("the audit log, event 3"))
    }

    // MARK: Backups

    @Test func aBackupThatIsNotSoundSaysSoAndIsNotRestored() throws {
        let test = try served()
        let good = test.folder + "/good"
        #expect(try test.store.backUp(to: good, by: TestStore.cli).problems == [])
        try changeAnEvent(test)
        let backup = test.folder + "/backup"
        let report = try test.store.backUp(to: backup, by: TestStore.cli)
        #expect(report.problems.count == 1 && report.auditSequence > 3)
        let event = try #require(try test.events(AuditFilter(type: "store_backed_up", limit: 1)).first)
        #expect(!event.success)
        #expect(throws: AccountsError(.damaged, "")) { try restore(backup, test) }
        // Nothing was replaced.
        try test.reopen()
        #expect(try test.store.check().count == 1)
        let accepted = try restore(backup, test, despiteProblems: true)
        #expect(accepted.problems.count == 1)
        #expect(try test.events(AuditFilter(type: "store_restored")).first?.success == false)
        #expect(try restore(good, test).problems == [])
        #expect(try test.store.check() == [])
    }

    @Test func aBackupWithRowsThatCannotBeReadIsNeverRestored() throws {
        let test = try served()
        let raw = Table<String, StoredEvent>("sessions")
        try test.tamper { try raw.put(StoredEvent(bytes: Array("junk".utf8)), for: "ses_x", in: $0) }
        let backup = test.folder + "/backup"
        #expect(try test.store.backUp(to: backup, by: TestStore.cli).problems.count == 1)
        #expect(throws: AccountsError(.damaged, "")) { try restore(backup, test, despiteProblems: true) }
    }

    /// In thousandths of the whole.
    @Test(arguments: [0, 1, 30, 100, 300, 500, 999]) func aBackupThatWasCutIsRefused(part: Int) throws {
        let test = try served()
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        var status = stat()
        #expect(stat(backup + "/data.mdb", &status) == 0)
        #expect(truncate(backup + "/data.mdb", status.st_size * off_t(part) / 1000) == 0)
        #expect(throws: AccountsError.self) { try restore(backup, test) }
        try test.reopen()
        #expect(try test.store.check() == [])
        #expect(throws: AccountsError(.notFound, "")) { try restore(test.folder + "/nowhere", test) }
    }

    // MARK: What a restore has lost

    @Test func whatARestoreBringsBackToLifeIsNamed() throws {
        let test = try served()
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        _ = try test.store.setPassword(of: "ada@example.com", hash: "$argon2id$x", by: TestStore.cli)
        for type: AuditEventType in [
            .factorRemoved, .factorsReset, .emailChanged, .backupCodesRenewed, .backupCodeUsed, .sessionsRevoked,
            .sessionRevoked,
        ] {
            try test.store.recordEvent(NewAuditEvent(type, user: "bob@example.com"), by: TestStore.cli)
        }
        // One that was refused has taken nothing away.
        try test.store.recordEvent(NewAuditEvent(.passwordChanged, success: false), by: TestStore.cli)
        let expected = [
            "password_changed", "factor_removed", "factors_reset", "email_changed", "backup_codes_renewed",
            "backup_code_used",
        ]
        let lines = try export(test)
        let first = try restore(backup, test)
        #expect(first.lostRevocations?.map(\.type) == expected && first.replayed.isEmpty)
        let second = try restore(backup, test, export: lines)
        #expect(second.lostRevocations?.map(\.type) == expected)
        #expect(second.replayed.map(\.type) == ["sessions_revoked", "session_revoked"])
    }

    @Test func whatWasUndoneLaterIsUndoneAgain() throws {
        let test = try served()
        let key = try test.addKey("bob@example.com")
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        let block = BlockSubject.subject(issuer: "https://i", subject: "s")
        for name in ["ada@example.com", "bob@example.com"] {
            _ = try test.store.disableUser(name, by: TestStore.cli)
            _ = try test.store.enableUser(name, by: TestStore.cli)
        }
        _ = try test.store.addBlock(block, by: TestStore.cli)
        _ = try test.store.removeBlock(block, by: TestStore.cli)
        let lines = try export(test)
        // Without the export bob's key lives again, and nothing else.
        let lost = try #require(try restore(backup, test).lostRevocations)
        #expect(lost.map(\.type) == ["user_disabled"] && lost.first?.user == "bob@example.com")
        let report = try restore(backup, test, export: lines)
        #expect(report.lostRevocations?.isEmpty == true)
        #expect(report.replayed.map(\.type) == ["user_disabled", "user_disabled", "block_added"])
        for name in ["ada@example.com", "bob@example.com"] { #expect(try !test.store.user(name).disabled) }
        #expect(try test.store.blocks().isEmpty)
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(key.secret, at: test.now).reason == .credentialRevoked)
    }

    /// An account that came after the backup is not there to be disabled again; that its address was kept out is lost.
    @Test func addressesOfAccountsThatAreNotThereAreNamed() throws {
        let test = try served()
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        _ = try test.addUser("eve@example.com", username: "eve")
        _ = try test.store.disableUser("eve", by: TestStore.cli)
        let lines = try export(test)
        let report = try restore(backup, test, export: lines)
        #expect(try test.store.blocks().isEmpty)
        #expect(report.lostRevocations?.map(\.user) == ["eve"])
    }

    /// What an import has put in the place of something is brought back, too.
    @Test func whatAnImportTookAwayIsNamed() throws {
        let test = try served()
        let hash = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
        _ = try test.store.setGroups("bob@example.com", to: ["staff"], by: TestStore.cli)
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        let file = "email,name,groups,password_hash\nbob@example.com,,,\nada@example.com,Ada,,\(hash)\n"
        _ = try test.store.importUsers(
            try ImportFormat.csv.read(Array(file.utf8)), ImportOptions(updates: true), by: TestStore.cli)
        let lines = try export(test)
        let lost = try #require(try restore(backup, test).lostRevocations)
        #expect(lost.map(\.type) == ["user_updated", "user_updated"])
        let report = try restore(backup, test, export: lines)
        #expect(report.replayed.map(\.user) == ["bob@example.com"])
        #expect(report.lostRevocations?.map(\.user) == ["ada@example.com"])
        #expect(try test.store.user("bob@example.com").groups == [])
    }

    @Test func aRestoreThatFailsReplacesNothing() throws {
        let test = try served()
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        try test.addUser("later@example.com")
        _ = try test.store.setGroups("bob@example.com", to: ["staff"], by: TestStore.cli)
        let lines = try export(test).map { $0.replacing("[\"staff\"]", with: "[\"no group\"]") }
        #expect(throws: AccountsError(.invalid, "")) { try restore(backup, test, export: lines) }
        try test.reopen()
        #expect(try test.store.user("later@example.com").email == "later@example.com")
        #expect(try test.store.user("bob@example.com").groups == ["staff"])
        #expect(try test.store.check() == [])
    }

    // MARK: Servers

    /// A second server on a folder is no sign that the first one died, and neither one's end hides that of the other.
    @Test func twoServersOfAFolderKeepOneMark() throws {
        let test = try TestStore()
        let store = test.store
        func mark() throws -> String? {
            try store.read { try Tables.meta.get(MetaRecord.running, in: $0)?.text }
        }
        #expect(try !store.serverStarted())
        let own = try #require(try mark())
        // Another process takes the mark, and ends.
        try test.tamper { try Tables.meta.put(MetaRecord(text: "other"), for: MetaRecord.running, in: $0) }
        #expect(try !store.serverStarted(besideAnother: true))
        try test.tamper { try Tables.meta.delete(MetaRecord.running, in: $0) }
        #expect(try mark() == nil)
        let now = test.now
        try test.tamper { try store.noteSignOfLife(now, in: $0) }
        #expect(try mark() == own)
        try test.tamper { try Tables.meta.put(MetaRecord(text: "other"), for: MetaRecord.running, in: $0) }
        try store.serverStopped()
        #expect(try mark() == "other")
        #expect(try test.events(AuditFilter(type: "audit_gap")).isEmpty)
        #expect(try store.serverStarted())
    }

    @Test func aTokensEventStandsBehindThoseBeforeIt() throws {
        let test = try served()
        test.clock.advance(.milliseconds(789))
        try test.addUser("carol@example.com")
        _ = try test.store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(60), by: TestStore.cli)
        let events = try test.events(AuditFilter(limit: 2))
        #expect(events.map(\.type) == ["token_issued", "user_added"] && events[0].createdAt == events[1].createdAt)
    }
}
