import Core
import Cryptography
import FoundationEssentials
import LMDB
import Logging
import Testing

@testable import Accounts

private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
private let taken: Result<FetchResponse, FetchError> = .success(FetchResponse(status: 204, headers: [], body: []))
private let down: Result<FetchResponse, FetchError> = .failure(FetchError(.notConnected, "nobody there"))

private func answer(_ status: Int) -> Result<FetchResponse, FetchError> {
    .success(FetchResponse(status: status, headers: [], body: []))
}

extension WebhookDelivery {
    /// What is to be sent, wherever in the log it stands.
    fileprivate func message(for webhook: Webhook) throws -> WebhookMessage? {
        while true {
            switch try next(for: webhook) {
            case .send(let message): return message
            case .lookOn: continue
            case .wait: return nil
            }
        }
    }
}

@Suite struct WebhookTests {
    private func webhook(_ url: String = "https://hooks.example.com/a/b?c", _ events: [String] = ["*"]) throws
        -> Webhook
    {
        try Webhook(url: url, secret: TestAccounts.secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), events: events)
    }

    private func begin(_ test: TestStore, _ webhook: Webhook) throws -> WebhookDelivery {
        let delivery = WebhookDelivery(store: test.store, log: log)
        try delivery.begin(with: [webhook])
        return delivery
    }

    private func sequence(_ message: WebhookMessage?) throws -> UInt64 {
        let body = try #require(message?.request.body)
        return try JSON.decode(AuditEvent.self, from: body).sequence
    }

    /// The example of the specification (standardwebhooks.com): id, time, body, secret and the signature that it gives.
    @Test func messagesAreSignedAsTheSpecificationHasIt() throws {
        let headers = try webhook().headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: Timestamp(seconds: 1_614_265_330),
            body: Array(#"{"test": 2432232314}"#.utf8))
        let signature = headers.first { $0.name == "webhook-signature" }?.value
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(headers.contains { $0 == ("webhook-timestamp", "1614265330") })
    }

    @Test func anEventThatIsDamagedIsPassed() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        for index in 1...4 { try test.addUser("user\(index)@example.com") }
        let first = try #require(try delivery.message(for: webhook))
        #expect(try delivery.finish(first, taken))
        let held = try #require(try delivery.message(for: webhook))
        #expect(try !delivery.finish(held, down))
        // The one that it waits for, and the next.
        try test.tamper { transaction in
            for number in [held.step.sequence, held.step.sequence + 1] {
                try Tables.audit.put(StoredEvent(bytes: Array("{\"".utf8)), for: number, in: transaction)
            }
        }
        test.clock.advance(.seconds(60))
        #expect(try sequence(try delivery.message(for: webhook)) == held.step.sequence + 2)
    }

    @Test func eventsComeInOrderAndOnce() throws {
        let test = try TestStore()
        try test.addUser("before@example.com")
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        #expect(try delivery.message(for: webhook) == nil, "what was before it is none of its business")
        let first = try test.store.lastAuditSequence() + 1
        for name in ["a", "b", "c"] { try test.addUser("\(name)@example.com") }
        var seen: [UInt64] = []
        var ids: Set<String> = []
        while let message = try delivery.message(for: webhook) {
            seen.append(try sequence(message))
            ids.insert(message.step.event)
            #expect(message.request.url == webhook.url && message.request.method == "POST")
            #expect(try delivery.finish(message, taken))
        }
        #expect(seen == [first, first + 1, first + 2] && ids.count == 3)
        // A server that starts again goes on where it was.
        try test.addUser("d@example.com")
        let again = try begin(test, webhook)
        #expect(try sequence(try again.message(for: webhook)) == first + 3)
        #expect(try test.store.outbox().isEmpty)
    }

    @Test func onlyWhatIsWantedIsTold() throws {
        let test = try TestStore()
        let webhook = try webhook("https://x.example", ["user_*", "api_key_revoked"])
        let delivery = try begin(test, webhook)
        try test.addUser()
        let key = try test.addKey()
        _ = try test.store.revokeAPIKey(key.key.id, by: TestStore.cli)
        var types: [String] = []
        while let message = try delivery.message(for: webhook) {
            types.append(message.step.type)
            _ = try delivery.finish(message, taken)
        }
        #expect(types == ["user_added", "api_key_revoked"])
        // Many that are not wanted are looked through a part at a time, and not again.
        for _ in 0..<1100 { try test.store.recordEvent(NewAuditEvent(.accountUnlocked), by: .system) }
        try test.addUser("late@example.com")
        guard case .lookOn = try delivery.next(for: webhook) else {
            Issue.record("a full part of the log is not the whole log")
            return
        }
        #expect(try delivery.message(for: webhook)?.step.type == "user_added")
        let position = try test.store.read { try Tables.webhooks.get(webhook.id, in: $0)?.position }
        #expect((position ?? 0) >= 1000)
    }

    @Test func whoIsDownIsTriedLaterWithTheSameMessage() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        try test.addUser("a@example.com")
        try test.addUser("b@example.com")
        let first = try #require(try delivery.message(for: webhook))
        #expect(try !delivery.finish(first, down))
        #expect(try delivery.message(for: webhook) == nil)
        let entry = try #require(try test.store.outbox().first)
        #expect(entry.kind == "webhook" && entry.state == "queued" && entry.attempts == 1)
        #expect(entry.to == "https://hooks.example.com" && entry.lastError == "nobody there")
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 1, failed: 0))
        test.clock.advance(.seconds(60))
        let second = try #require(try delivery.message(for: webhook))
        #expect(second.step.event == first.step.event && second.request.body == first.request.body)
        #expect(try !delivery.finish(second, down))
        test.clock.advance(.seconds(60))
        #expect(try delivery.message(for: webhook) == nil)
        // The operator knows that it is back.
        #expect(try test.store.retryMail(.one(first.step.event), by: TestStore.cli) == 1)
        let third = try #require(try delivery.message(for: webhook))
        #expect(try delivery.finish(third, taken))
        #expect(try sequence(try delivery.message(for: webhook)) > sequence(first))
        #expect(try test.store.outbox().isEmpty)
    }

    /// One event that two webhooks wait with is two rows, each to be dealt with by itself.
    @Test func oneEventForTwoWebhooksHasTwoRows() throws {
        let test = try TestStore()
        let webhooks = [try webhook(), try webhook("https://other.example.com/")]
        let delivery = WebhookDelivery(store: test.store, log: log)
        try delivery.begin(with: webhooks)
        try test.addUser("a@example.com")
        var events: Set<String> = []
        for webhook in webhooks {
            let message = try #require(try delivery.message(for: webhook))
            events.insert(message.step.event)
            #expect(try !delivery.finish(message, down))
        }
        let rows = try test.store.outbox()
        #expect(events.count == 1 && Set(rows.map(\.id)).count == 2)
        let event = try #require(events.first)
        #expect(throws: AccountsError(.notFound, "")) { try test.store.dropMail(.one(event), by: TestStore.cli) }
        let second = try #require(rows.first { $0.to == "https://other.example.com" })
        #expect(try test.store.dropMail(.one(second.id), by: TestStore.cli) == 1)
        #expect(try test.store.outbox().map(\.to) == ["https://hooks.example.com"])
        #expect(
            try test.events(AuditFilter(type: "outbox_dropped")).first?.metadata == ["webhook_event": .string(event)])
    }

    @Test func whatIsRefusedIsADeadLetter() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        try test.addUser("a@example.com")
        try test.addUser("b@example.com")
        let first = try #require(try delivery.message(for: webhook))
        #expect(try delivery.finish(first, answer(422)))
        let entry = try #require(try test.store.outbox().first)
        #expect(entry.state == "failed" && entry.template == "user_added" && entry.lastError == "the answer was 422")
        // The next one is not held up.
        let second = try #require(try delivery.message(for: webhook))
        #expect(second.step.sequence == first.step.sequence + 1)
        #expect(try delivery.finish(second, taken))
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 1))
        #expect(try test.store.retryMail(.allFailed, by: TestStore.cli) == 1)
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 1, failed: 0))
        let retried = try #require(try delivery.message(for: webhook))
        #expect(retried.step.event == first.step.event)
        #expect(try delivery.finish(retried, answer(400)))
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        #expect(try test.store.dropMail(.one(entry.id), by: TestStore.cli) == 1)
        #expect(try test.store.outbox().isEmpty && test.store.check().isEmpty)
        // What the commands have done are events, too.
        #expect(try delivery.message(for: webhook)?.step.type == "outbox_retried")
    }

    @Test func afterTwoDaysAnEventIsGivenUpAndTheNextIsTried() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        try test.addUser("a@example.com")
        try test.addUser("b@example.com")
        var tries = 0
        while try test.store.outboxCounts().failed == 0 {
            if let message = try delivery.message(for: webhook) {
                _ = try delivery.finish(message, down)
                tries += 1
            }
            test.clock.advance(.seconds(60))
        }
        #expect((14...18).contains(tries))
        #expect(try delivery.message(for: webhook) == nil, "it is still down")
        test.clock.advance(.seconds(4 * 3600))
        let next = try #require(try delivery.message(for: webhook))
        #expect(try delivery.finish(next, taken))
    }

    /// What stands in an event a stranger may have chosen: a receiver that cannot bear it hears of the others.
    @Test(arguments: [401, 403, 404, 410, 429, 500, 503])
    func oneEventSilencesNobody(status: Int) throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        for name in ["a", "b", "c"] { try test.addUser("\(name)@example.com") }
        let began = test.now
        let poison = try #require(try delivery.message(for: webhook)).step.sequence
        var tries = 0
        var others: [UInt64: Duration] = [:]
        while let message = try delivery.message(for: webhook) ?? later(test, delivery, webhook) {
            if message.step.sequence == poison {
                _ = try delivery.finish(message, answer(status))
                tries += 1
                try #require(tries < 20)
            } else {
                #expect(try delivery.finish(message, taken))
                others[message.step.sequence] = test.now - began
            }
        }
        #expect(others.keys.sorted() == [poison + 1, poison + 2])
        #expect(others.values.allSatisfy { $0 <= .seconds(120) }, "\(others)")
        #expect(tries == 5)
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 1))
        #expect(try test.store.check().isEmpty)
    }

    /// A stranger who makes one after the other holds the others up for minutes, not for hours.
    @Test func manyInARowSilenceNobody() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        for number in 0..<45 { try test.addUser("poison\(number)@example.com") }
        try test.addUser("good@example.com")
        let began = test.now
        let first = try #require(try delivery.message(for: webhook)).step.sequence
        var attempts: [UInt64: Int] = [:]
        var goodAt: Duration?
        while let message = try delivery.message(for: webhook) ?? later(test, delivery, webhook) {
            let sequence = message.step.sequence
            attempts[sequence, default: 0] += 1
            if sequence == first + 45 {
                #expect(try delivery.finish(message, taken))
                goodAt = test.now - began
                // From now on there is something new now and then.
                continue
            }
            _ = try delivery.finish(message, answer(500))
            if goodAt == nil { #expect(attempts[sequence, default: 0] <= 5) }
        }
        let held = try #require(goodAt)
        #expect(held <= .seconds(15 * 60), "\(held)")
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 45))
        // Each has had its tries, and no more than the receiver could prove to be the events' own.
        #expect(attempts.filter { $0.key != first + 45 }.values.allSatisfy { (5...12).contains($0) }, "\(attempts)")
    }

    /// What answers 500 to everything is broken: nothing is given up for two days, and all of it comes when it is well.
    @Test func aBrokenReceiverLosesNothing() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        for number in 0..<60 { try test.addUser("user\(number)@example.com") }
        let end = test.now + .seconds(6 * 3600)
        var tries = 0
        while test.now < end {
            while let message = try delivery.message(for: webhook) {
                _ = try delivery.finish(message, answer(503))
                tries += 1
            }
            test.clock.advance(.seconds(60))
        }
        #expect(try test.store.outboxCounts().failed == 0)
        #expect(tries < 60 * 12, "\(tries)")
        var seen: [UInt64] = []
        let well = test.now
        while seen.count < 60, let message = try delivery.message(for: webhook) ?? later(test, delivery, webhook) {
            #expect(try delivery.finish(message, taken))
            seen.append(message.step.sequence)
        }
        #expect(Set(seen).count == 60 && test.now - well <= .seconds(300))
        // Behind the one that showed that it is well they come in their order.
        #expect(seen.dropFirst() == seen.dropFirst().sorted()[...])
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 0))
    }

    private func later(_ test: TestStore, _ delivery: WebhookDelivery, _ webhook: Webhook) throws -> WebhookMessage? {
        for _ in 0..<250 {
            test.clock.advance(.seconds(60))
            if let message = try delivery.message(for: webhook) { return message }
        }
        return nil
    }

    /// The two days are the receiver's, not those of each event; then each is tried once, hours apart.
    @Test func whoIsDownForLongLosesAnEventNowAndThen() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        for name in ["a", "b", "c", "d"] { try test.addUser("\(name)@example.com") }
        let end = test.now + .seconds(48 * 3600 + 12 * 3600)
        while test.now < end {
            if let message = try delivery.message(for: webhook) { _ = try delivery.finish(message, down) }
            test.clock.advance(.seconds(60))
        }
        #expect((3...4).contains(try test.store.outboxCounts().failed))
    }

    @Test func theNewestLettersAreKept() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        let store = test.store
        let now = test.now
        try store.write { transaction in
            for _ in 0..<1250 {
                try store.append(NewAuditEvent(.accountUnlocked), by: .system, at: now, in: transaction)
            }
        }
        var last: UInt64 = 0
        var given = 0
        while let message = try delivery.message(for: webhook) {
            last = message.step.sequence
            given += 1
            #expect(try delivery.finish(message, answer(400)))
        }
        #expect(given == 1250)
        let kept: [UInt64] = try test.store.read { transaction in
            var kept: [UInt64] = []
            try Tables.outbox.forEach(in: transaction) { _, letter, _ in
                kept.append(letter.event ?? 0)
                return true
            }
            return kept
        }
        #expect((1000...1101).contains(kept.count))
        #expect(Set(kept).isSuperset(of: (last - 999)...last))
    }

    @Test func aWebhookThatIsGoneIsForgotten() throws {
        let test = try TestStore()
        let webhook = try webhook()
        let delivery = try begin(test, webhook)
        try test.addUser("a@example.com")
        let message = try #require(try delivery.message(for: webhook))
        _ = try delivery.finish(message, answer(400))
        #expect(try test.store.retryMail(.allFailed, by: TestStore.cli) == 1)
        let under = try #require(try delivery.message(for: webhook))
        try delivery.begin(with: [])
        #expect(try !delivery.finish(under, down))
        #expect(try delivery.message(for: webhook) == nil)
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        #expect(throws: AccountsError(.refused, "")) { try test.store.retryMail(.allFailed, by: TestStore.cli) }
        #expect(try test.store.dropMail(.allFailed, by: TestStore.cli) == 1)
    }

    @Test(arguments: [(200, true), (204, true), (301, false), (404, false), (410, false), (429, false), (500, false)])
    func answersAreWhatTheyAre(status: Int, isTaken: Bool) {
        #expect((WebhookSchedule.outcome(of: answer(status)) == .delivered) == isTaken)
        if !isTaken { #expect(WebhookSchedule.outcome(of: answer(status)) == .turnedAway("the answer was \(status)")) }
    }
}
