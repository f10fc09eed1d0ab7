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
        /// The event was removed in the meantime, or is damaged.
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
                try self.changeAside(of: id, in: transaction) { $0.state = .failed }
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
            let aside = try self.nextAside(of: webhook.id, at: now, in: transaction)
            if let aside, record.prefersNew != true, record.turnedAway == nil {
                return (try self.look(at: aside, in: transaction), seen, record.position)
            }
            let (new, position, isFull) = try self.search(
                webhook, after: max(seen, record.position), now, in: transaction)
            guard let step = new ?? (isFull ? nil : aside) else {
                return (isFull ? .nothingYet : .nothing, position, record.position)
            }
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
            // One that is damaged cannot be told, and must not silence the webhook; `audit verify` finds it.
            if let event = try? stored.event(), webhook.wants(event.type) {
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
        guard let stored = try Tables.audit.get(step.sequence, in: transaction), let event = try? stored.event() else {
            return .gone(step)
        }
        return .event(step, body: try JSON.encode(try current(event, in: transaction)))
    }

    func skip(_ step: WebhookRecord.Step, of webhook: Webhook) throws(AccountsError) {
        try write { transaction in try self.pass(step, of: webhook.id, in: transaction) }
    }

    /// - Returns: what became of the event; nil when nobody wants to know any more. Also an older one that had to make
    ///   room for it.
    func finish(
        _ message: WebhookMessage, _ outcome: WebhookSchedule.Outcome
    ) throws(AccountsError) -> (WebhookRecord.Fate?, displaced: OutboxRecord?) {
        let now = clock.now()
        let id = message.webhook.id
        let letterID = try random.id("hook")
        return try write { transaction -> (WebhookRecord.Fate?, displaced: OutboxRecord?) in
            // Gone with a reload, or dropped by the operator while it was on its way.
            guard var record = try Tables.webhooks.get(id, in: transaction) else { return (nil, nil) }
            if let letter = message.step.letter {
                guard try Tables.outbox.get(letter, in: transaction)?.state == .queued else {
                    return (nil, nil)
                }
            } else if message.step.sequence <= record.position {
                return (nil, nil)
            }
            var step = message.step
            let wasBroken = record.isBroken
            let fate = record.judge(&step, outcome, at: now)
            if case .held = fate {
                record.step = step
                try Tables.webhooks.put(record, for: id, in: transaction)
                return (fate, nil)
            }
            var displaced: OutboxRecord?
            let reason = record.lastError
            try self.pass(step, of: id, in: transaction) { $0 = record }
            switch fate {
            case .held: break
            case .taken:
                // It was the receiver, not the events: they need not wait for their time.
                if wasBroken { try self.changeAside(of: id, in: transaction) { $0.dueAt = now } }
            case .aside(let next):
                if step.letter == nil {
                    displaced = try self.makeRoomAside(of: id, in: transaction)
                    if displaced != nil { try self.keepNewestLetters(of: id, in: transaction) }
                }
                try self.put(
                    aside: .letter(
                        step.letter ?? letterID, step, of: message.webhook, because: reason ?? "", until: next),
                    in: transaction)
            case .givenUp(let why):
                try Tables.outbox.put(
                    .letter(step.letter ?? letterID, step, of: message.webhook, because: why),
                    for: step.letter ?? letterID, in: transaction)
                try self.keepNewestLetters(of: id, in: transaction)
            }
            return (fate, displaced)
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

    /// Is done with an event, for now or for good.
    private func pass(
        _ step: WebhookRecord.Step, of id: String, in transaction: borrowing WriteTransaction,
        _ change: (inout WebhookRecord) -> Void = { _ in }
    ) throws {
        if let letter = step.letter { try removeLetter(letter, in: transaction) }
        guard var record = try Tables.webhooks.get(id, in: transaction) else { return }
        change(&record)
        record = record.passing(step)
        try Tables.webhooks.put(record, for: id, in: transaction)
    }
}

extension WebhookRecord {
    fileprivate func passing(_ step: Step) -> WebhookRecord {
        var record = self
        if step.letter == nil {
            record.position = max(position, step.sequence)
            record.step = nil
            record.lastError = nil
        }
        return record
    }
}

extension OutboxRecord {
    /// An event that was given up; with `next` one that was put aside.
    static func letter(
        _ id: String, _ step: WebhookRecord.Step, of webhook: Webhook, because reason: String,
        until next: Timestamp? = nil
    ) -> OutboxRecord {
        var record = OutboxRecord(
            id: id, recipient: webhook.origin, language: .english, template: step.type, fields: ["event": step.event],
            sealedLink: nil, userID: nil, createdAt: step.createdAt, expiresAt: nil,
            state: next == nil ? .failed : .queued, attempts: step.attempts, dueAt: next ?? step.since,
            giveUpAt: step.since + WebhookSchedule.lifetime,
            lastError: String(reason.prefix(300)))
        record.webhook = webhook.id
        record.event = step.sequence
        record.answers = step.answers
        record.triedSince = step.since
        return record
    }
}
