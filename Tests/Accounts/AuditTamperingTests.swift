import Core
import Glibc
import LMDB
import Testing

@testable import Accounts

/// Somebody with the data file and without the audit key makes the log say something else, consistently. It must be found,
/// and it must stay found however much is appended afterwards.
@Suite struct AuditTamperingTests {
    /// What a server has written, and a person at the command line.
    private func served() throws -> TestStore {
        let test = try TestStore()
        try test.store.serverStarted()
        try test.store.maintainSigningKeys()
        for index in 1...6 { try test.addUser("user\(index)@example.com") }
        try test.store.serverStopped()
        #expect(try test.store.check() == [])
        return test
    }

    enum Tampering: CaseIterable {
        case cutWithTheSealLeft, cutWithoutASeal, rewritten, rewrittenWithoutASeal, rewrittenAndContinued
        case emptied
    }

    private func tamper(_ test: TestStore, _ how: Tampering) throws {
        try test.tamper { transaction in
            guard var head = try Tables.auditHead.get(Tables.headKey, in: transaction) else { return }
            switch how {
            case .cutWithTheSealLeft, .cutWithoutASeal:
                for sequence in head.sequence - 3...head.sequence { try Tables.audit.delete(sequence, in: transaction) }
                head.sequence -= 4
                guard let last = try Tables.audit.get(head.sequence, in: transaction) else { return }
                head.hash = last.hash
                if how == .cutWithoutASeal { head.seal = nil }
            case .rewritten: head.hash = try Self.rewrite(in: transaction)
            case .rewrittenWithoutASeal:
                head.hash = try Self.rewrite(in: transaction)
                head.seal = nil
            case .rewrittenAndContinued:
                head.hash = try Self.rewrite(in: transaction)
                head.sequence += 1
                let event = AuditEvent(
                    NewAuditEvent(.userAdded, user: "mallory"), sequence: head.sequence,
                    createdAt: Timestamp(seconds: 1_800_000_000), actor: TestStore.cli, previousHash: head.hash)
                let stored = StoredEvent(bytes: try JSON.encode(event))
                head.hash = stored.hash
                try Tables.audit.put(stored, for: head.sequence, in: transaction)
            case .emptied:
                try Tables.audit.removeAll(in: transaction)
                try Tables.auditByUser.removeAll(in: transaction)
                try Tables.auditHead.removeAll(in: transaction)
                return
            }
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
    }

    /// Another name in the third event, and a chain that fits.
    private static func rewrite(in transaction: borrowing WriteTransaction) throws -> String {
        var previous = AuditHead.origin
        for sequence in try Tables.audit.keys(in: transaction) {
            guard var event = try Tables.audit.get(sequence, in: transaction)?.event() else { continue }
            if sequence == 3 { event.actor = "cli:somebody" }
            event.previousHash = previous
            let stored = StoredEvent(bytes: try JSON.encode(event))
            previous = stored.hash
            try Tables.audit.put(stored, for: sequence, in: transaction)
        }
        return previous
    }

    @Test(arguments: Tampering.allCases) func whatWasFoundStaysFound(how: Tampering) throws {
        let test = try served()
        try tamper(test, how)
        // In a log that goes on behind its seal everything stands where it should, but for what the seal names.
        #expect(try test.store.verifyAudit().problem != nil, "\(how) at once")
        #expect(try !test.store.check().isEmpty, "\(how) at once")
        // A command, then the server, then both for a while.
        try test.reopen(masterKey: nil)
        try test.addUser("later@example.com")
        try test.reopen()
        #expect(try !test.store.serverStarted())
        try test.addUser("latest@example.com")
        try test.store.serverStopped()
        let problem = try #require(try test.store.verifyAudit().problem, "\(how) afterwards")
        #expect([.head, .changed, .cut].contains(problem.kind), "\(how): \(problem)")
        #expect(try test.store.check().contains { $0.hasPrefix("the audit log, event") })
        #expect(try test.events(AuditFilter(type: "audit_resealed", success: false)).count == 1)
    }

    @Test func whoAppendsIsTold() throws {
        let test = try served()
        try tamper(test, .rewrittenWithoutASeal)
        #expect(test.store.takeAuditAlarms().isEmpty)
        try test.addUser("later@example.com")
        let alarms = test.store.takeAuditAlarms()
        #expect(alarms.count == 1 && alarms[0].hasPrefix("seal_missing"))
        #expect(test.store.takeAuditAlarms().isEmpty)
    }

    @Test func forgedEventsOfTheServerBehindTheSealAreFound() throws {
        let test = try served()
        try test.tamper { transaction in
            guard var head = try Tables.auditHead.get(Tables.headKey, in: transaction) else { return }
            head.sequence += 1
            let event = AuditEvent(
                NewAuditEvent(.auditResealed, reason: "appended_without_key"), sequence: head.sequence,
                createdAt: Timestamp(seconds: 1_800_000_000), actor: .system, previousHash: head.hash)
            let stored = StoredEvent(bytes: try JSON.encode(event))
            head.hash = stored.hash
            try Tables.audit.put(stored, for: head.sequence, in: transaction)
            try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        }
        #expect(try test.store.verifyAudit().problem?.kind == .head)
        try test.addUser("later@example.com")
        #expect(try test.events(AuditFilter(type: "audit_resealed", success: false)).count == 1)
        #expect(try test.store.verifyAudit().problem != nil)
    }

    /// The first signing key may be made by a command, in the transaction that is sealed first.
    @Test func aFirstSigningKeyBehindUnsealedEventsIsNoTampering() throws {
        let test = try TestStore(masterKey: nil)
        try test.addUser()
        try test.reopen()
        try test.store.maintainSigningKeys()
        _ = try test.store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(60), by: TestStore.cli)
        #expect(try test.store.check() == [])
        #expect(try test.events(AuditFilter(type: "audit_resealed")).map(\.success) == [true])
        #expect(test.store.takeAuditAlarms().isEmpty)
    }

    /// Commands come before the server, and after it without its `audit.key`.
    @Test func commandsWithoutTheKeyAreNoTampering() throws {
        let test = try TestStore(masterKey: nil)
        for index in 1...4 { try test.addUser("user\(index)@example.com") }
        _ = try test.store.disableUser("user1@example.com", by: TestStore.cli)
        #expect(try test.store.check() == [])
        try test.reopen()
        #expect(try test.store.check() == [])
        try test.store.serverStarted()
        try test.store.maintainSigningKeys()
        try test.store.serverStopped()
        #expect(try test.store.check() == [])
        test.close()
        #expect(unlinkAuditKey(of: test))
        try test.reopen(masterKey: nil)
        try test.addUser("keyless@example.com")
        _ = try test.store.enableUser("user1@example.com", by: TestStore.cli)
        #expect(try test.store.verifyAudit().unsealed == 2)
        try test.reopen()
        #expect(try test.store.check() == [])
        try test.store.serverStarted()
        #expect(try test.store.check() == [])
        #expect(try test.events(AuditFilter(type: "audit_resealed")).map(\.success) == [true, true])
        #expect(test.store.takeAuditAlarms().isEmpty)
    }
}

private func unlinkAuditKey(of test: TestStore) -> Bool { unlink(test.folder + "/audit.key") == 0 }
