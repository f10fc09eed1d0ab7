internal import Core
internal import Cryptography
internal import LMDB

extension Store {
    /// What a webhook is to be told next.
    enum WebhookLook {
        case nothing
        /// Nothing in a full part of the log; there may be something in the next one.
        case nothingYet
        case event(WebhookRecord.Step, body: [UInt8])
        /// The event was removed in the meantime.
        case gone(WebhookRecord.Step)
    }

    func beginWebhooks(_ webhooks: [Webhook]) throws(AccountsError) {
        let wanted = Dictionary(webhooks.map { ($0.id, $0.origin) }) { first, _ in first }
        let known = try read { try Tables.webhooks.keys(in: $0) }
        let gone = known.filter { wanted[$0] == nil }
        let new = wanted.filter { !known.contains($0.key) }
        guard !gone.isEmpty || !new.isEmpty else { return }
        try write { transaction in
            let head = try Tables.auditHead.get(Tables.headKey, in: transaction)?.sequence ?? 0
            for (id, origin) in new {
                try Tables.webhooks.put(WebhookRecord(position: head, origin: origin), for: id, in: transaction)
            }
            for id in gone {
                try Tables.webhooks.delete(id, in: transaction)
                for key in try Tables.webhookRetries.keys(prefix: KeyPair<String, String>.prefix(id), in: transaction) {
                    try Tables.webhookRetries.delete(key, in: transaction)
                    guard var letter = try Tables.outbox.get(key.second, in: transaction) else { continue }
                    letter.state = .failed
                    try Tables.outbox.put(letter, for: letter.id, in: transaction)
                }
            }
        }
    }

    /// - Parameter seen: up to where the log was looked through already.
    /// - Returns: also up to where it was looked through now.
    func nextEvent(
        for webhook: Webhook, after seen: UInt64, at now: Timestamp
    ) throws(AccountsError) -> (WebhookLook, UInt64) {
        let (look, position, known) = try read { transaction -> (WebhookLook, UInt64, UInt64) in
            guard let record = try Tables.webhooks.get(webhook.id, in: transaction),
                !WebhookSchedule.holds(record.dueAt, at: now)
            else { return (.nothing, seen, seen) }
            if let step = record.step { return (try self.look(at: step, in: transaction), seen, record.position) }
            if let retry = try Tables.webhookRetries.keys(
                prefix: KeyPair<String, String>.prefix(webhook.id), limit: 1, in: transaction
            ).first,
                let letter = try Tables.outbox.get(retry.second, in: transaction), let sequence = letter.event
            {
                let step = WebhookRecord.Step(
                    sequence: sequence, event: letter.fields["event"] ?? letter.id, type: letter.template,
                    createdAt: letter.createdAt, attempts: 0, since: now, letter: letter.id)
                return (try self.look(at: step, in: transaction), seen, record.position)
            }
            let (step, position, isFull) = try self.search(
                webhook, after: max(seen, record.position), now, in: transaction)
            guard let step else { return (isFull ? .nothingYet : .nothing, position, record.position) }
            return (try self.look(at: step, in: transaction), position, record.position)
        }
        // So that a restart does not look through a long log again.
        if position > known, position - known >= UInt64(Self.batchSize) {
            try write { transaction in
                guard var record = try Tables.webhooks.get(webhook.id, in: transaction), record.step == nil,
                    record.position < position
                else { return }
                record.position = position
                try Tables.webhooks.put(record, for: webhook.id, in: transaction)
            }
        }
        return (look, position)
    }

    /// The next event that is wanted, of at most a batch.
    private func search(
        _ webhook: Webhook, after start: UInt64, _ now: Timestamp, in transaction: borrowing ReadTransaction
    ) throws -> (WebhookRecord.Step?, UInt64, isFull: Bool) {
        var position = start
        var looked = 0
        var found: WebhookRecord.Step?
        guard start < .max else { return (nil, start, false) }
        try Tables.audit.forEach(from: start + 1, in: transaction) { sequence, stored, _ in
            let event = try stored.event()
            if webhook.wants(event.type) {
                found = WebhookRecord.Step(
                    sequence: sequence, event: "evt_" + String(stored.hash.prefix(32)), type: event.type,
                    createdAt: event.createdAt, attempts: 0, since: now)
                return false
            }
            position = sequence
            looked += 1
            return looked < Self.batchSize
        }
        return (found, position, looked == Self.batchSize)
    }

    private func look(
        at step: WebhookRecord.Step, in transaction: borrowing ReadTransaction
    ) throws -> WebhookLook {
        guard let event = try Tables.audit.get(step.sequence, in: transaction)?.event() else { return .gone(step) }
        return .event(step, body: try JSON.encode(try current(event, in: transaction)))
    }

    func skip(_ step: WebhookRecord.Step, of webhook: Webhook) throws(AccountsError) {
        try write { transaction in try self.pass(step, of: webhook.id, in: transaction) }
    }

    /// - Returns: whether the event was given up.
    func finish(
        _ message: WebhookMessage, _ outcome: WebhookSchedule.Outcome
    ) throws(AccountsError) -> Bool {
        let now = clock.now()
        let id = message.webhook.id
        let letterID = try random.id("hook")
        return try write { transaction in
            // Gone with a reload, or dropped by the operator while it was on its way.
            guard let record = try Tables.webhooks.get(id, in: transaction) else { return false }
            if let letter = message.step.letter {
                guard try Tables.outbox.get(letter, in: transaction) != nil else { return false }
            } else if message.step.sequence <= record.position {
                return false
            }
            var step = message.step
            let reason: String
            switch outcome {
            case .delivered:
                try self.pass(step, of: id, in: transaction) { $0.recover() }
                return false
            case .refused(let why):
                step.attempts += 1
                try self.pass(step, of: id, in: transaction)
                reason = why
            case .turnedAway(let why), .unavailable(let why):
                let failed: WebhookRecord
                let isOver: Bool
                (failed, step, isOver) = record.failing(
                    at: step, because: why, isAnswered: outcome == .turnedAway(why), now)
                guard isOver else {
                    try Tables.webhooks.put(failed, for: id, in: transaction)
                    return false
                }
                try self.pass(step, of: id, in: transaction) { record in
                    record.failures = failed.failures
                    record.failingSince = failed.failingSince
                    record.dueAt = failed.dueAt
                }
                reason = why
            }
            try Tables.outbox.put(
                .letter(step.letter ?? letterID, step, of: message.webhook, because: reason),
                for: step.letter ?? letterID, in: transaction)
            try self.keepNewestLetters(of: id, in: transaction)
            return true
        }
    }

    /// Counts a letter, and lets go of the oldest ones. They are looked through once for many that come.
    private func keepNewestLetters(of id: String, in transaction: borrowing WriteTransaction) throws {
        guard var record = try Tables.webhooks.get(id, in: transaction) else { return }
        let most = WebhookSchedule.maximumLetters
        if let known = record.letters, known < most + most / 10 {
            record.letters = known + 1
        } else {
            var letters: [(event: UInt64, id: String)] = []
            try Tables.outbox.forEach(in: transaction) { key, letter, _ in
                if letter.webhook == id, letter.state == .failed { letters.append((letter.event ?? 0, key)) }
                return true
            }
            letters.sort { $0.event > $1.event }
            for letter in letters.dropFirst(most) { try Tables.outbox.delete(letter.id, in: transaction) }
            record.letters = min(letters.count, most)
        }
        try Tables.webhooks.put(record, for: id, in: transaction)
    }

    /// Is done with an event.
    private func pass(
        _ step: WebhookRecord.Step, of id: String, in transaction: borrowing WriteTransaction,
        _ change: (inout WebhookRecord) -> Void = { _ in }
    ) throws {
        if let letter = step.letter {
            try Tables.outbox.delete(letter, in: transaction)
            try Tables.webhookRetries.delete(KeyPair(id, letter), in: transaction)
        }
        guard var record = try Tables.webhooks.get(id, in: transaction) else { return }
        if step.letter == nil { record.position = max(record.position, step.sequence) }
        record.step = nil
        record.lastError = nil
        change(&record)
        try Tables.webhooks.put(record, for: id, in: transaction)
    }
}

extension WebhookRecord {
    /// The receiver is as good as new: it has taken something, or the operator says so.
    mutating func recover() {
        failures = 0
        failingSince = nil
        dueAt = nil
    }

    /// After one more failure; and whether its event is given up.
    fileprivate func failing(
        at attempted: Step, because reason: String, isAnswered: Bool, _ now: Timestamp
    ) -> (record: WebhookRecord, step: Step, isOver: Bool) {
        var record = self
        var step = attempted
        step.attempts += 1
        // A clock that was set back must not make it last.
        let since = min(failingSince ?? now, now)
        record.failingSince = since
        record.lastError = String(reason.prefix(300))
        var isOver = now - since >= WebhookSchedule.lifetime
        if isOver {
            record.dueAt = now + WebhookSchedule.longestWait
            record.failures += 1
        } else if isAnswered {
            let answers = (step.answers ?? 0) + 1
            step.answers = answers
            record.failures = 0
            isOver = answers >= WebhookSchedule.maximumAnswers
            // Whether it was the event or the receiver, the next one shows.
            record.dueAt = isOver ? nil : now + WebhookSchedule.wait(after: answers)
        } else {
            record.failures += 1
            record.dueAt = now + WebhookSchedule.wait(after: record.failures)
        }
        record.step = step
        return (record, step, isOver)
    }
}

extension OutboxRecord {
    /// An event that was given up.
    static func letter(
        _ id: String, _ step: WebhookRecord.Step, of webhook: Webhook, because reason: String
    ) -> OutboxRecord {
        var record = OutboxRecord(
            id: id, recipient: webhook.origin, language: .english, template: step.type, fields: ["event": step.event],
            sealedLink: nil, userID: nil, createdAt: step.createdAt, expiresAt: nil, state: .failed,
            attempts: step.attempts, dueAt: step.since, giveUpAt: step.since + WebhookSchedule.lifetime,
            lastError: String(reason.prefix(300)))
        record.webhook = webhook.id
        record.event = step.sequence
        return record
    }
}
