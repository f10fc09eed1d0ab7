import Core
import Glibc
import LMDB
import Testing

@testable import Accounts

@Suite struct UpkeepTests {
    @Test func anUncleanStopLeavesAGap() throws {
        let test = try TestStore()
        #expect(try !test.store.serverStarted())
        try test.store.serverStopped()
        #expect(try !test.store.serverStarted())
        let log = DecisionLog(store: test.store)
        test.clock.advance(.seconds(5))
        log.makeSink().denied(
            Denial(
                reason: .noRule, route: nil, user: nil, subject: nil, credentialID: nil, address: nil, requestID: "",
                at: test.now))
        try log.drain(final: true)
        let alive = test.now
        test.clock.advance(.seconds(60))
        try test.reopen()
        #expect(try test.store.serverStarted())
        let gap = try #require(try test.events(AuditFilter(type: "audit_gap")).first)
        #expect(gap.metadata["from"] == .string(alive.rfc3339) && gap.metadata["to"] == .string(test.now.rfc3339))
        #expect(try test.events(AuditFilter(type: "audit_gap")).count == 1)
    }

    @Test func reloadsAreWrittenDown() throws {
        let test = try TestStore()
        try test.store.configurationReloaded(
            changed: ["drain"], needsRestart: ["listen"], by: AuditActor("cli:root"))
        try test.store.configurationRefused(
            errors: (0..<80).map { "\($0) " + String(repeating: "x", count: 1000) }, by: .system)
        let taken = try #require(try test.events(AuditFilter(type: "config_reloaded")).first)
        #expect(taken.success && taken.actor == "cli:root")
        #expect(taken.metadata == ["changed": .strings(["drain"]), "needs_restart": .strings(["listen"])])
        let refused = try #require(try test.events(AuditFilter(type: "config_refused")).first)
        #expect(!refused.success && refused.reason == "invalid")
        guard case .strings(let errors)? = refused.metadata["errors"] else {
            Issue.record("no errors")
            return
        }
        #expect(errors.count == 51 && errors.allSatisfy { $0.count <= 300 } && errors.last == "… and 30 more")
    }

    @Test func theSweeperFreesWhatEndedLongAgo() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        let short = try test.addKey(lifetime: .seconds(60))
        let long = try test.addKey(lifetime: .seconds(365 * 86_400))
        let revoked = try test.addKey(lifetime: .seconds(365 * 86_400))
        _ = try test.store.revokeAPIKey(revoked.key.id, by: TestStore.cli)
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(60), by: TestStore.cli)
        #expect(try test.store.sweep() == 0)
        let reader = try AccountReader(store: test.store)
        test.clock.advance(.seconds(86_400 + 61))
        #expect(try test.store.sweep() == 1)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .credentialRevoked)
        test.clock.advance(.seconds(90 * 86_400))
        #expect(try test.store.sweep() == 2)
        #expect(try test.store.sweep() == 0)
        #expect(try test.store.apiKeys().map(\.id) == [long.key.id])
        #expect(reader.read(short.secret, at: test.now).reason == .credentialUnknown)
        #expect(reader.read(long.secret, at: test.now).identity != nil)
        #expect(try test.store.check() == [])
    }

    @Test func theSweeperTakesAThousandAtATime() throws {
        let test = try TestStore()
        let store = test.store
        let now = test.now
        for part in 0..<2 {
            try test.tamper { transaction in
                for index in 0..<750 {
                    let record = SessionRecord(
                        id: "s\(part)-\(index)", kind: .token, userID: "usr_1", epoch: 1, actor: "test", createdAt: now,
                        expiresAt: now, amr: [], factors: 0)
                    try store.insert(record, in: transaction)
                }
            }
        }
        test.clock.advance(.seconds(86_400))
        #expect(try store.sweep() == 1000)
        #expect(try store.sweep() == 500)
        #expect(try store.sweep() == 0)
    }

    @Test func aDamagedRowKeepsNoOtherFromBeingFreed() throws {
        let test = try TestStore()
        let (store, now) = (test.store, test.now)
        let raw = Table<String, StoredEvent>("sessions")
        try test.tamper { transaction in
            for id in ["s1", "s2", "s3"] {
                let record = SessionRecord(
                    id: id, kind: .token, userID: "usr_1", epoch: 1, actor: "test", createdAt: now, expiresAt: now,
                    amr: [], factors: 0)
                try store.insert(record, in: transaction)
            }
            try raw.put(StoredEvent(bytes: Array("{\"".utf8)), for: "s2", in: transaction)
        }
        test.clock.advance(.seconds(86_400))
        #expect(try store.sweep() == 3)
        #expect(try store.read { try Tables.sessions.keys(in: $0) } == ["s2"])
        #expect(try store.sweep() == 0)
    }

    @Test func probeAndCheck() throws {
        let test = try TestStore()
        try test.store.probe()
        let ada = try test.addUser()
        let key = try test.addKey()
        #expect(try test.store.check() == [])
        let counts = try test.store.counts()
        #expect(counts.users == 1 && counts.apiKeys == 1 && counts.auditEvents == 2 && counts.blocks == 0)
        try test.tamper { transaction in
            _ = try Tables.usersByEmail.delete("ada@example.com", in: transaction)
            _ = try Tables.apiKeysByID.delete(key.key.id, in: transaction)
        }
        let problems = try test.store.check()
        #expect(problems.count == 2 && problems[0].contains(ada.id))
        test.close()
        #expect(throws: AccountsError(.store, "")) { try test.store.probe() }
    }

    @Test func theAuditKeyFileIsPrivateAndReplacedWhole() throws {
        let test = try TestStore()
        let path = test.folder + "/audit.key"
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(try AuditKeyFile.read(folder: test.folder).keys.count == 1)
        try test.reopen(masterKey: 8, previous: [7])
        #expect(try AuditKeyFile.read(folder: test.folder).keys.count == 2)
        chmod(path, 0o644)
        #expect(throws: AccountsError(.refused, "")) { try AuditKeyFile.read(folder: test.folder) }
    }

    // A store with a key, a session and a block, its backup, and then revocations.
    private func backedUp() throws -> (test: TestStore, backup: String, keys: [IssuedAPIKey], token: IssuedToken) {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        let keys = [try test.addKey(), try test.addKey()]
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let backup = test.folder + "/backup"
        let report = try test.store.backUp(to: backup, by: TestStore.cli)
        #expect(report.problems.isEmpty && report.auditSequence == 6)
        _ = try test.store.revokeAPIKey(keys[0].key.id, by: TestStore.cli)
        return (test, backup, keys, token)
    }

    @Test func aRestoreEndsSessionsAndNamesWhatItLost() throws {
        let (test, backup, keys, token) = try backedUp()
        let revoked = try test.store.lastAuditSequence()
        test.close()
        let (store, report) = try Store.restore(
            from: backup, into: TestStore.configuration(test.folder, masterKey: 7), clock: test.clock,
            random: test.random, by: TestStore.cli)
        test.replace(store)
        #expect(report.auditSequence == 6 && report.sessionsEnded == 1 && report.replayed.isEmpty)
        #expect(report.lostRevocations?.map(\.sequence) == [revoked])
        let reader = try AccountReader(store: store)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .credentialRevoked)
        for key in keys { #expect(reader.read(key.secret, at: test.now).identity != nil) }
        #expect(try store.verifyAudit().problem == nil)
        #expect(try test.events(AuditFilter(type: "store_restored")).count == 1)
        #expect(try store.check() == [])
    }

    /// A link that was used after the backup is not good once more.
    @Test func aRestoreEndsLinks() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        let issued = try LinkPurpose.allCases.filter { ![.registration, .changeEmail, .enrolFactor].contains($0) }.map {
            try test.store.createLink($0, for: "ada@example.com", by: TestStore.cli)
        }
        #expect(issued.count == 5)
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        test.close()
        let (store, _) = try Store.restore(
            from: backup, into: TestStore.configuration(test.folder, masterKey: 7), clock: test.clock,
            random: test.random, by: TestStore.cli)
        test.replace(store)
        let left = try store.read { (try Tables.oneTimeLinks.count(in: $0), try Tables.linksByUser.count(in: $0)) }
        #expect(left == (0, 0))
        #expect(try store.check() == [])
    }

    @Test func anExportIsReplayed() throws {
        let (test, backup, keys, _) = try backedUp()
        _ = try test.store.addBlock(.subject(issuer: "https://i", subject: "s"), by: TestStore.cli)
        var lines: [String] = []
        try test.store.exportAudit { lines.append($0.jsonLine) }
        test.close()
        let (store, report) = try Store.restore(
            from: backup, into: TestStore.configuration(test.folder, masterKey: 7), auditExport: lines,
            clock: test.clock, random: test.random, by: TestStore.cli)
        test.replace(store)
        #expect(report.replayed.count == 2 && report.lostRevocations?.isEmpty == true)
        let reader = try AccountReader(store: store)
        #expect(reader.read(keys[0].secret, at: test.now).reason == .credentialRevoked)
        #expect(reader.read(keys[1].secret, at: test.now).identity != nil)
        #expect(try store.blocks().count == 1)
    }

    @Test func aRestoreRefusesAStoreInUseAndAKeyThatDoesNotFit() throws {
        let (test, backup, _, _) = try backedUp()
        func restore(_ masterKey: UInt8?) throws {
            _ = try Store.restore(
                from: backup, into: TestStore.configuration(test.folder, masterKey: masterKey), clock: test.clock,
                random: test.random, by: TestStore.cli)
        }
        #expect(throws: AccountsError(.store, "")) { try restore(7) }
        #expect(throws: AccountsError(.wrongMasterKey, "")) { try restore(8) }
        #expect(throws: AccountsError(.noMasterKey, "")) { try restore(nil) }
        #expect(throws: AccountsError(.exists, "")) { try test.store.backUp(to: backup, by: TestStore.cli) }
    }

    @Test func errorsNameTheirCause() {
        let error = AccountsError(.store, "It did not work.", cause: AccountsError(.damaged, "the map is full"))
        #expect(error.description.contains("It did not work.") && error.description.contains("the map is full"))
        #expect(AccountsError(.exists, "a") == AccountsError(.exists, "b"))
        #expect(quoted("a\nb") == "\"a?b\"")
    }
}
