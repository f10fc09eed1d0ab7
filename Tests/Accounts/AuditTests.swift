import Core
import LMDB
import Testing

@testable import Accounts

@Suite struct AuditTests {
    /// Twelve events, one of them of somebody else.
    private func filled(masterKey: UInt8? = 7) throws -> TestStore {
        let test = try TestStore(masterKey: masterKey)
        for index in 1...11 { try test.addUser("user\(index)@example.com") }
        let wiki = NewAuditEvent(
            .requestDenied, success: false, reason: "rule_denied", user: "stranger", route: "wiki")
        try test.store.recordEvent(
            wiki, by: AuditActor("stranger", address: IPAddress("192.0.2.7"), userAgent: "curl", requestID: "r1"))
        return test
    }

    private func problem(_ test: TestStore, checkpoint: String? = nil) throws -> AuditProblem? {
        try test.store.verifyAudit(checkpoint: checkpoint).problem
    }

    @Test func aWholeLogVerifies() throws {
        let empty = try TestStore()
        #expect(try empty.store.verifyAudit().problem == nil)
        let test = try filled()
        let result = try test.store.verifyAudit()
        #expect(result.problem == nil && result.checked == 12 && result.first == 1 && result.last == 12)
        #expect(result.isSealed && result.unsealed == 0)
    }

    @Test func anEventHasAllMembers() throws {
        let test = try filled()
        let event = try #require(try test.events(AuditFilter(limit: 1)).first)
        let line = event.jsonLine
        for member in [
            "sequence", "created_at", "event_type", "success", "reason", "actor", "user", "user_id", "route", "session",
            "ip_address", "user_agent", "request_id", "metadata",
        ] {
            #expect(line.contains("\"\(member)\":"))
        }
        #expect(line.contains("\"user_id\":null") && line.contains("\"ip_address\":\"192.0.2.7\""))
        #expect(event.actor == "stranger" && event.requestID == "r1" && event.userAgent == "curl")
    }

    // Changes one event's bytes, keeping their length.
    private func change(_ sequence: UInt64, in test: TestStore) throws {
        try test.tamper { transaction in
            guard var stored = try Tables.audit.get(sequence, in: transaction) else { return }
            let text = String(decoding: stored.bytes, as: UTF8.self)
            let changed = text.split(separator: "cli:root", omittingEmptySubsequences: false).joined(
                separator: "cli:evil")
            #expect(changed != text)
            stored.bytes = Array(changed.utf8)
            try Tables.audit.put(stored, for: sequence, in: transaction)
        }
    }

    @Test(arguments: [1, 2, 7, 11] as [UInt64]) func aChangedEventIsFound(sequence: UInt64) throws {
        let test = try filled()
        try change(sequence, in: test)
        let problem = try #require(try problem(test))
        #expect(problem.kind == .changed && problem.sequence == sequence)
    }

    @Test func aChangedLastEventIsFound() throws {
        let test = try TestStore()
        try test.addUser()
        try test.addUser("b@example.com")
        try change(2, in: test)
        let problem = try #require(try problem(test))
        #expect(problem.kind == .changed && problem.sequence == 2)
    }

    @Test(arguments: [1, 5, 11] as [UInt64]) func aMissingEventIsFound(sequence: UInt64) throws {
        let test = try filled()
        try test.tamper { transaction in _ = try Tables.audit.delete(sequence, in: transaction) }
        let problem = try #require(try problem(test))
        #expect(problem.kind == .missing && problem.sequence == sequence)
    }

    @Test func swappedEventsAreFound() throws {
        let test = try filled()
        try test.tamper { transaction in
            guard let five = try Tables.audit.get(5, in: transaction),
                let six = try Tables.audit.get(6, in: transaction)
            else { return }
            try Tables.audit.put(six, for: 5, in: transaction)
            try Tables.audit.put(five, for: 6, in: transaction)
        }
        let problem = try #require(try problem(test))
        #expect(problem.kind == .reordered && problem.sequence == 5)
    }

    @Test func aCutTailIsFound() throws {
        let test = try filled()
        try test.tamper { transaction in
            for sequence in 9...12 { _ = try Tables.audit.delete(UInt64(sequence), in: transaction) }
        }
        let problem = try #require(try problem(test))
        #expect(problem.kind == .cut && problem.sequence == 9)
    }

    @Test func aCutTailWithAMadeUpHeadIsFound() throws {
        let test = try filled()
        try test.tamper { transaction in
            for sequence in 9...12 { _ = try Tables.audit.delete(UInt64(sequence), in: transaction) }
            guard let last = try Tables.audit.get(8, in: transaction),
                var head = try Tables.auditHead.get(Tables.headKey, in: transaction)
            else { return }
            head.sequence = 8
            head.hash = last.hash
            head.seal?.sequence = 8
            head.seal?.hash = last.hash
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
        #expect(try problem(test)?.kind == .head)
        // Taking the seal away instead leaves the log visibly unsealed, and a checkpoint still finds the cut.
        try test.tamper { transaction in
            guard var head = try Tables.auditHead.get(Tables.headKey, in: transaction) else { return }
            head.seal = nil
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
        let result = try test.store.verifyAudit()
        #expect(!result.isSealed && result.unsealed == 8)
    }

    @Test func aForgedHeadIsNotSealedOverSilently() throws {
        let test = try filled()
        try test.tamper { transaction in
            for sequence in 9...12 { _ = try Tables.audit.delete(UInt64(sequence), in: transaction) }
            guard let last = try Tables.audit.get(8, in: transaction),
                var head = try Tables.auditHead.get(Tables.headKey, in: transaction)
            else { return }
            head.sequence = 8
            head.hash = last.hash
            head.seal?.sequence = 8
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
        try test.addUser("later@example.com")
        let event = try #require(try test.events(AuditFilter(type: "audit_resealed")).first)
        #expect(event.sequence == 9 && !event.success && event.reason == "seal_not_genuine")
        #expect(try test.events(AuditFilter(type: "audit_resealed")).count == 1)
    }

    @Test func aTakenHeadIsFound() throws {
        let test = try filled()
        try test.tamper { transaction in _ = try Tables.auditHead.delete(Tables.headKey, in: transaction) }
        #expect(try problem(test)?.kind == .head)
    }

    @Test func aWhollyRewrittenLogIsFound() throws {
        let test = try filled()
        let checkpoint = try test.store.auditCheckpoint()
        // Somebody without the audit key makes the log anew, without event 12.
        let other = try TestStore(masterKey: 99)
        for index in 1...11 { try other.addUser("user\(index)@example.com") }
        let (rows, head) = try other.store.read { transaction in
            var rows: [(UInt64, StoredEvent)] = []
            try Tables.audit.forEach(in: transaction) { sequence, stored, _ in
                rows.append((sequence, stored))
                return true
            }
            return (rows, try Tables.auditHead.get(Tables.headKey, in: transaction))
        }
        try test.tamper { transaction in
            try Tables.audit.removeAll(in: transaction)
            for (sequence, stored) in rows { try Tables.audit.put(stored, for: sequence, in: transaction) }
            if let head { try Tables.auditHead.put(head, for: Tables.headKey, in: transaction) }
        }
        #expect(try problem(test)?.kind == .head)
        // The checkpoint finds it with no key at all.
        let bare = AuditVerifierRun(keys: AuditKeys(keys: []), checkpoint: checkpoint)
        #expect(try bare.problem(in: test.store) != nil)
    }

    @Test func checkpointsAreGenuineAndStillContained() throws {
        let test = try filled()
        let checkpoint = try test.store.auditCheckpoint()
        try test.addUser("later@example.com")
        #expect(try problem(test, checkpoint: checkpoint) == nil)
        let forged = checkpoint.split(separator: " ").enumerated()
            .map { $0.offset == 2 ? "11" : String($0.element) }.joined(separator: " ")
        #expect(throws: AccountsError(.invalid, "")) { try problem(test, checkpoint: forged) }
        #expect(throws: AccountsError(.invalid, "")) { try problem(test, checkpoint: "hello") }
        let future = try test.store.auditCheckpoint()
        try test.tamper { transaction in _ = try Tables.audit.delete(13, in: transaction) }
        #expect(try problem(test, checkpoint: future)?.kind == .cut)
    }

    @Test func commandsSealWithoutTheMasterKey() throws {
        let test = try filled()
        try test.reopen(masterKey: nil)
        try test.addUser("cli@example.com")
        let result = try test.store.verifyAudit()
        #expect(result.problem == nil && result.isSealed && result.unsealed == 0)
    }

    @Test func whatWasAppendedWithoutTheKeyIsNamedAndSealedLater() throws {
        let test = try filled(masterKey: nil)
        #expect(try test.store.verifyAudit().unsealed == 12)
        #expect(try test.store.auditCheckpoint().hasSuffix(" - -"))
        try test.reopen(masterKey: 7)
        #expect(try test.store.verifyAudit().problem == nil)
        #expect(try !test.store.serverStarted())
        let result = try test.store.verifyAudit()
        #expect(result.isSealed && result.unsealed == 0 && result.problem == nil)
        let event = try #require(try test.events(AuditFilter(type: "audit_resealed")).first)
        #expect(event.metadata["unsealed_from"] == .integer(1) && event.metadata["unsealed_to"] == .integer(12))
    }

    @Test func prunedLogsVerifyFromTheirAnchor() throws {
        let test = try filled()
        test.clock.advance(.seconds(400 * 86_400))
        try test.addUser("new@example.com")
        #expect(try test.store.pruneAudit(retention: .seconds(86_400)) == 12)
        let result = try test.store.verifyAudit()
        #expect(result.problem == nil && result.first == 13 && result.checked == 2)
        let event = try #require(try test.events().first)
        #expect(event.type == "audit_pruned" && event.metadata["through"] == .integer(12))
        #expect(try test.store.pruneAudit(retention: .seconds(86_400)) == 0)
        // Pruning by somebody else, with an anchor made up.
        try test.tamper { transaction in
            guard let event = try Tables.audit.get(13, in: transaction),
                var head = try Tables.auditHead.get(Tables.headKey, in: transaction)
            else { return }
            _ = try Tables.audit.delete(13, in: transaction)
            head.anchor?.sequence = 13
            head.anchor?.hash = event.hash
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
        #expect(try problem(test)?.kind == .head)
    }

    /// Whoever has all keys may say that the beginning was pruned, and write the rest anew.
    @Test func aCheckpointOfWhatWasPrunedVouchesForNothing() throws {
        let test = try filled()
        let old = try test.store.auditCheckpoint()
        try test.addUser("later@example.com")
        let last = try test.store.auditCheckpoint()
        test.clock.advance(.seconds(400 * 86_400))
        try test.addUser("new@example.com")
        #expect(try test.store.pruneAudit(retention: .seconds(86_400)) == 13)
        let found = try #require(try problem(test, checkpoint: old))
        #expect(found.kind == .missing && found.sequence == 12 && found.message.contains("pruned"))
        // The newest one that was pruned is still known by its hash.
        #expect(try problem(test, checkpoint: last) == nil)
        let other = try TestStore()
        for index in 1...13 { try other.addUser("other\(index)@example.com") }
        #expect(try problem(test, checkpoint: other.store.auditCheckpoint())?.kind == .changed)
        #expect(try problem(test, checkpoint: test.store.auditCheckpoint()) == nil)
        let empty = try TestStore()
        #expect(try problem(test, checkpoint: empty.store.auditCheckpoint()) == nil)
    }

    @Test func listsAreFilteredNewestFirst() throws {
        let test = try filled()
        #expect(try test.events().map(\.sequence) == Array((1...12).reversed()))
        #expect(try test.events(AuditFilter(limit: 2)).map(\.sequence) == [12, 11])
        #expect(try test.events(AuditFilter(user: "user3@example.com")).map(\.sequence) == [3])
        #expect(try test.events(AuditFilter(user: "stranger")).map(\.sequence) == [12])
        #expect(try test.events(AuditFilter(type: "request_denied")).map(\.sequence) == [12])
        #expect(try test.events(AuditFilter(success: false)).map(\.sequence) == [12])
        #expect(try test.events(AuditFilter(route: "wiki")).map(\.sequence) == [12])
        #expect(try test.events(AuditFilter(address: Network("192.0.2.0/24"))).map(\.sequence) == [12])
        #expect(try test.events(AuditFilter(address: Network("198.51.100.0/24"))).isEmpty)
        #expect(try test.events(AuditFilter(from: test.now + .seconds(1))).isEmpty)
        #expect(try test.events(AuditFilter(to: test.now)).isEmpty)
        #expect(try test.events(AuditFilter(user: "nobody")).isEmpty)
        #expect(try test.events(AuditFilter(requestID: "r1")).map(\.sequence) == [12])
    }

    @Test func longLogsAreReadInPieces() throws {
        let test = try TestStore()
        let store = test.store
        let now = test.now
        for _ in 0..<3 {
            try test.tamper { transaction in
                for _ in 0..<900 {
                    try store.append(
                        NewAuditEvent(.requestDenied, user: "eve"), by: .system, at: now, in: transaction)
                }
            }
        }
        #expect(try test.events().map(\.sequence) == Array((1...2700).reversed()))
        #expect(try test.events(AuditFilter(user: "eve")).map(\.sequence) == Array((1...2700).reversed()))
        #expect(try test.events(AuditFilter(limit: 1001)).count == 1001)
        var exported: [UInt64] = []
        try store.exportAudit { exported.append($0.sequence) }
        #expect(exported == Array(1...2700))
        #expect(try store.verifyAudit().checked == 2700)
        #expect(try store.auditEvents(after: 2690).map(\.sequence) == Array(2691...2700))
        #expect(try store.auditEvents(after: 2700).isEmpty)
        #expect(try store.lastAuditSequence() == 2700)
    }

    @Test func aLogThatGrowsWhileItIsReadVerifies() throws {
        let test = try filled()
        var verifier = AuditVerifier(keys: test.store.auditKeys, checkpoint: nil)
        var rounds = 0
        while try test.store.read({ transaction in try verifier.step(limit: 3, in: transaction) }) {
            rounds += 1
            if rounds <= 3 { try test.addUser("late\(rounds)@example.com") }
        }
        #expect(verifier.result.problem == nil && verifier.result.isSealed)
        #expect(verifier.result.checked == 15 && verifier.result.last == 15)
    }

    @Test func anEventAndItsChangeAreOne() throws {
        let test = try filled()
        let before = try test.store.lastAuditSequence()
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("user1@example.com") }
        #expect(try test.store.lastAuditSequence() == before)
        // A log that cannot take its event keeps the change out too.
        try test.tamper { transaction in
            try Tables.audit.put(StoredEvent(bytes: Array("{}".utf8)), for: before + 1, in: transaction)
        }
        #expect(throws: AccountsError(.damaged, "")) { try test.addUser("late@example.com") }
        #expect(throws: AccountsError(.notFound, "")) { try test.store.user("late@example.com") }
    }
}

/// A verification with other keys than the store's.
struct AuditVerifierRun {
    let keys: AuditKeys
    let checkpoint: String

    func problem(in store: Store) throws -> AuditProblem? {
        var verifier = AuditVerifier(keys: keys, checkpoint: try AuditCheckpoint.parse(checkpoint, keys))
        while try store.read({ transaction in try verifier.step(limit: 5, in: transaction) }) {}
        return verifier.result.problem
    }
}
