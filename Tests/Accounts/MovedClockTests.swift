import Core
import LMDB
import Testing

@testable import Accounts

/// What a clock leaves behind that was wrong for a while.
@Suite struct MovedClockTests {
    private let year = Duration.seconds(365 * 86_400)

    /// - Parameter count: of events of one moment.
    private func append(_ count: Int, to test: TestStore, at time: Timestamp) throws {
        let store = test.store
        for begin in stride(from: 0, to: count, by: 1000) {
            try test.tamper { transaction in
                for _ in begin..<min(begin + 1000, count) {
                    try store.append(NewAuditEvent(.requestDenied), by: .system, at: time, in: transaction)
                }
            }
        }
    }

    @Test func eventsOfThePastHideNoneFromLists() throws {
        let test = try TestStore()
        let now = test.now
        try append(3, to: test, at: now)
        // The machine came up without a clock of its own.
        try append(5, to: test, at: Timestamp(seconds: 100))
        try append(2, to: test, at: now + .seconds(60))
        #expect(try test.events(AuditFilter(from: now)).map(\.sequence) == [10, 9, 3, 2, 1])
        #expect(try test.events(AuditFilter(from: now, limit: 3)).map(\.sequence) == [10, 9, 3])
        // A long log is not read to its end for it.
        try append(2500, to: test, at: now + year)
        #expect(try test.events(AuditFilter(from: now + year)).count == 2500)
        #expect(try test.events(AuditFilter(from: now + year + .seconds(1))).isEmpty)
    }

    @Test func eventsOfTheFutureAreRemovedWithThoseAroundThem() throws {
        let test = try TestStore()
        let begin = test.now
        try append(3, to: test, at: begin)
        try append(2500, to: test, at: begin + year + year + year + year)
        try append(2, to: test, at: begin + .seconds(60))
        try append(4, to: test, at: begin + year)
        try append(1, to: test, at: begin + year + year + year)
        test.clock.advance(year + .seconds(3600))
        #expect(try test.store.pruneAudit(retention: .seconds(86_400)) == 2505)
        let result = try test.store.verifyAudit()
        #expect(result.problem == nil && result.first == 2506)
        // How old those are that come last nobody can say.
        #expect(try test.store.pruneAudit(retention: .seconds(1)) == 4)
        #expect(try test.store.pruneAudit(retention: .seconds(1)) == 0)
        #expect(try test.store.check() == [])
    }

    @Test func aMailThatWasQueuedInTheFutureGoesOut() throws {
        let test = try TestStore()
        let store = test.store
        let address = try #require(EmailAddress("mary@example.com"))
        store.setMail(on: true)
        let (now, ahead) = (test.now, test.now + year)
        try store.write { transaction in
            try store.enqueue(MailMessage(.noAccount, to: address), at: ahead, in: transaction)
        }
        let record = try #require(try store.claimNextMail())
        #expect(record.giveUpAt == now + Store.mailLifetime && record.dueAt == now + OutboxDelivery.claimPeriod)
        #expect(try store.mailFailed(record, MailError(.deferred, "later")) == .retry(at: now + .seconds(60)))
        // One that waits for its turn goes on waiting.
        #expect(try store.claimNextMail() == nil)
        test.clock.advance(.seconds(60))
        let again = try #require(try store.claimNextMail())
        try store.mailTaken(again)
        #expect(try store.outbox().isEmpty && store.check() == [])
    }
}
