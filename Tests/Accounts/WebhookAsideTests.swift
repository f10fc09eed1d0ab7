import Core
import LMDB
import Logging
import Testing

@testable import Accounts

/// Events that are aside keep nothing from being told, however many they are and whatever the receiver does of them.
@Suite struct WebhookAsideTests {
    private static let taken: Result<FetchResponse, FetchError> =
        .success(FetchResponse(status: 204, headers: [], body: []))
    private static let broken: Result<FetchResponse, FetchError> =
        .success(FetchResponse(status: 500, headers: [], body: []))
    private static let hangs: Result<FetchResponse, FetchError> = .failure(FetchError(.timedOut, "no answer"))

    private let test: TestStore
    private let webhook: Webhook
    private let delivery: WebhookDelivery

    init() throws {
        test = try TestStore()
        webhook = try Webhook(
            url: "https://hooks.example.com", secret: TestAccounts.secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            events: ["*"])
        delivery = WebhookDelivery(store: test.store, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try delivery.begin(with: [webhook])
    }

    private func next() throws -> WebhookMessage? {
        while true {
            switch try delivery.next(for: webhook) {
            case .send(let message): return message
            case .lookOn: continue
            case .wait: return nil
            }
        }
    }

    private func append(_ count: Int) throws {
        let store = test.store
        let now = test.now
        try store.write { transaction in
            for _ in 0..<count {
                try store.append(NewAuditEvent(.accountUnlocked), by: .system, at: now, in: transaction)
            }
        }
    }

    /// Tells what can be told now, and says which were taken.
    private func tell(_ answer: (WebhookMessage) -> Result<FetchResponse, FetchError>) throws -> [UInt64] {
        var seen: [UInt64] = []
        while let message = try next() {
            let answer = answer(message)
            _ = try delivery.finish(message, answer)
            if case .success(let response) = answer, response.status < 300 { seen.append(message.step.sequence) }
        }
        return seen
    }

    @Test func oneThatTheReceiverHangsOnWaitsAlone() throws {
        try append(1)
        let poison = try #require(try next()).step.sequence
        // Twice it is answered, so that others pass it.
        for _ in 0..<2 {
            _ = try delivery.finish(try #require(try next()), Self.broken)
            test.clock.advance(.seconds(60))
        }
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 1, failed: 0))
        var tries = 0
        var gaps: [Int] = []
        for minute in 0..<400 {
            try append(1)
            let newest = try test.store.lastAuditSequence()
            let seen = try tell { message in
                guard message.step.sequence == poison else { return Self.taken }
                tries += 1
                gaps.append(minute)
                return Self.hangs
            }
            #expect(seen == [newest], "what is good comes at once, in minute \(minute)")
            test.clock.advance(.seconds(60))
        }
        #expect(tries == WebhookSchedule.maximumAnswers - 2, "\(gaps)")
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        // The operator may have it tried again, and it holds up nobody then either.
        #expect(try test.store.retryMail(.allFailed, by: TestStore.cli) == 1)
        let seen = try tell { $0.step.sequence == poison ? Self.hangs : Self.taken }
        #expect(seen == [try test.store.lastAuditSequence()])
        #expect(try test.store.check().isEmpty)
    }

    /// It never gets an answer, or the receiver dies of it: the others pass it just so.
    @Test(arguments: [FetchError.Code.timedOut, .notConnected, .malformed])
    func oneThatNeverGetsAnAnswerIsPassed(_ code: FetchError.Code) throws {
        try append(3)
        let poison = try #require(try next()).step.sequence
        let began = test.now
        var seen: [UInt64] = []
        while seen.count < 2, test.now - began < .seconds(3600) {
            seen += try tell { message in
                message.step.sequence == poison
                    ? .failure(FetchError(code, "no answer", wasSent: true)) : Self.taken
            }
            test.clock.advance(.seconds(10))
        }
        #expect(seen == [poison + 1, poison + 2])
        #expect(test.now - began < .seconds(120), "\(test.now - began)")
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 1, failed: 0))
        #expect(try test.store.check().isEmpty)
    }

    /// Nobody could be reached: no event's fault, and none is put aside.
    @Test func whileNobodyIsThereTheFirstOneWaits() throws {
        try append(3)
        for _ in 0..<5 {
            #expect(try tell { _ in .failure(FetchError(.timedOut, "no connection")) }.isEmpty)
            test.clock.advance(.seconds(4 * 3600))
        }
        // The one that is waited for.
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 1, failed: 0))
        #expect(try tell { _ in Self.taken }.count == 3)
    }

    /// Nothing is taken besides, so nobody knows whose fault it is: it is tried for two days.
    @Test func oneThatHangsAloneIsGivenUpInTheEnd() throws {
        try append(1)
        for _ in 0..<2 {
            _ = try delivery.finish(try #require(try next()), Self.broken)
            test.clock.advance(.seconds(60))
        }
        var tries = 0
        let end = test.now + WebhookSchedule.lifetime + WebhookSchedule.longestWait
        while test.now < end {
            #expect(
                try tell { _ in
                    tries += 1
                    return Self.hangs
                }.isEmpty)
            test.clock.advance(.seconds(300))
        }
        #expect((10...20).contains(tries), "\(tries)")
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        #expect(try next() == nil)
    }

    @Test func moreThanThereIsRoomForSilenceNobody() throws {
        try append(1100)
        let first = try #require(try next()).step.sequence
        let good = first + 1100
        try append(1)
        let began = test.now
        var seen: [UInt64] = []
        while seen.isEmpty, test.now - began < .seconds(12 * 3600) {
            seen = try tell { $0.step.sequence == good ? Self.taken : Self.broken }
            test.clock.advance(.seconds(60))
        }
        #expect(seen == [good])
        #expect(test.now - began < .seconds(6 * 3600), "\(test.now - began)")
        // The oldest have made room; nothing is lost.
        let (waiting, given) = try letters()
        #expect(waiting.count <= WebhookSchedule.maximumAside)
        #expect(given.isSuperset(of: first..<(first + 100)))
        #expect(waiting.union(given) == Set(first..<good))
        #expect(try test.store.check().isEmpty)
        #expect(try test.store.retryMail(.allFailed, by: TestStore.cli) == given.count)
    }

    private func letters() throws -> (waiting: Set<UInt64>, given: Set<UInt64>) {
        try test.store.read { transaction in
            var waiting: Set<UInt64> = []
            var given: Set<UInt64> = []
            try Tables.outbox.forEach(in: transaction) { _, letter, _ in
                let event = letter.event ?? 0
                if letter.state == .queued { waiting.insert(event) } else { given.insert(event) }
                return true
            }
            return (waiting, given)
        }
    }
}
