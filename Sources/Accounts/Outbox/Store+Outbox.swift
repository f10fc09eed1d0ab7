public import Core
internal import LMDB

/// A mail or an event that was not handed over yet, as it is shown: what it is about, never its link.
public struct OutboxEntry: Encodable, Sendable, Equatable {
    public let id: String
    /// `mail` or `webhook`.
    public let kind: String
    /// An address; of a webhook its origin, since the rest of its URL may be a secret.
    public let to: String
    /// Of a webhook the event's type.
    public let template: String
    /// `queued`, `sending` or `failed`.
    public let state: String
    public let attempts: Int
    public let lastError: String?
    public let createdAt: Timestamp
    /// When it is tried next; nil for a failed one.
    public let nextAttemptAt: Timestamp?
    /// When its link ends; it is not sent any more then.
    public let expiresAt: Timestamp?
    public let userID: String?

    init(_ record: OutboxRecord) {
        id = record.id
        kind = record.webhook == nil ? "mail" : "webhook"
        to = record.recipient
        template = record.template
        state = record.state.rawValue
        attempts = record.attempts
        lastError = record.lastError
        createdAt = record.createdAt
        nextAttemptAt = record.state == .queued ? max(record.dueAt, record.createdAt) : nil
        expiresAt = record.expiresAt
        userID = record.userID
    }

    /// The event that a webhook is stuck at.
    init(_ step: WebhookRecord.Step, of record: WebhookRecord, webhook: String) {
        id = Self.id(of: step, webhook: webhook)
        kind = "webhook"
        to = record.origin
        template = step.type
        state = OutboxRecord.State.queued.rawValue
        attempts = step.attempts
        lastError = record.lastError
        createdAt = step.createdAt
        nextAttemptAt = record.dueAt
        expiresAt = nil
        userID = nil
    }

    /// One event may wait for several webhooks; its own id is what `webhook-id` says, the same for all of them.
    static func id(of step: WebhookRecord.Step, webhook: String) -> String {
        "\(step.event).\(webhook.drop { $0 != "_" }.dropFirst().prefix(12))"
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, to, template, state, attempts
        case lastError = "last_error"
        case createdAt = "created_at"
        case nextAttemptAt = "next_attempt_at"
        case expiresAt = "expires_at"
        case userID = "user_id"
    }
}

/// How many mails there are in which state.
public struct OutboxCounts: Sendable, Equatable {
    /// Those in hand included.
    public let queued: Int
    public let failed: Int
}

/// Which mails an operator means.
public enum OutboxSelection: Sendable, Equatable {
    case one(String)
    case allFailed
}

extension Store {
    /// What was not handed over yet, newest first.
    public func outbox() throws(AccountsError) -> [OutboxEntry] {
        let records: [OutboxRecord] = try read { transaction in
            var records: [OutboxRecord] = []
            try Tables.outbox.forEach(in: transaction) { _, record, _ in
                records.append(record)
                return true
            }
            return records
        }
        let entries = records.map { OutboxEntry($0) } + (try waitingEvents())
        return entries.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    /// Counts rows without reading them: a mail has a time at which it is due, unless it was given up. Of a webhook
    /// that is stuck the one event counts that it is stuck at.
    public func outboxCounts() throws(AccountsError) -> OutboxCounts {
        try read { transaction in
            let all = try Tables.outbox.count(in: transaction)
            let due = try Tables.outboxDue.count(in: transaction) + Tables.webhookRetries.count(in: transaction)
            var stuck = 0
            try Tables.webhooks.forEach(in: transaction) { _, record, _ in
                if record.step != nil { stuck += 1 }
                return true
            }
            return OutboxCounts(queued: due + stuck, failed: max(0, all - due))
        }
    }

    /// Tries mails again now, with the full time before they are given up. Of all that failed those are left alone whose
    /// link has ended.
    ///
    /// - Returns: how many.
    /// - Throws: `notFound` for an id that is not there, `refused` for a mail that is in hand or whose link has ended.
    public func retryMail(_ selection: OutboxSelection, by actor: AuditActor) throws(AccountsError) -> Int {
        let now = clock.now()
        return try change(
            selection, .outboxRetried, by: actor, at: now,
            waiting: { waiting in
                waiting.recover()
            }
        ) { record, transaction in
            if let webhook = record.webhook { return try self.retry(letter: record, of: webhook, in: transaction) }
            if record.state == .queued { try Tables.outboxDue.delete(record.dueKey, in: transaction) }
            var record = record
            record.state = .queued
            record.attempts = 0
            record.dueAt = now
            record.giveUpAt = now + Self.mailLifetime
            try Tables.outbox.put(record, for: record.id, in: transaction)
            try Tables.outboxDue.put(EmptyRecord(), for: record.dueKey, in: transaction)
        }
    }

    /// Removes mails unsent.
    ///
    /// - Returns: how many.
    /// - Throws: `notFound` for an id that is not there, `refused` for a mail that is in hand.
    public func dropMail(_ selection: OutboxSelection, by actor: AuditActor) throws(AccountsError) -> Int {
        try change(
            selection, .outboxDropped, by: actor, at: clock.now(),
            waiting: { waiting in
                waiting.position = max(waiting.position, waiting.step?.sequence ?? 0)
                waiting.step = nil
            }
        ) { record, transaction in
            if record.webhook != nil { return try self.drop(letter: record, in: transaction) }
            if record.state == .queued { try Tables.outboxDue.delete(record.dueKey, in: transaction) }
            try Tables.outbox.delete(record.id, in: transaction)
        }
    }

    private func change(
        _ selection: OutboxSelection, _ event: AuditEventType, by actor: AuditActor, at now: Timestamp,
        waiting: @escaping @Sendable (inout WebhookRecord) -> Void,
        _ body: @escaping @Sendable (OutboxRecord, borrowing WriteTransaction) throws -> Void
    ) throws(AccountsError) -> Int {
        var changed = 0
        for ids in try ids(of: selection).batches(of: Self.batchSize) {
            changed += try write { transaction in
                var changed = 0
                for id in ids {
                    guard let record = try Tables.outbox.get(id, in: transaction) else {
                        if case .allFailed = selection { continue }
                        if let waitingEvent = try self.changeWaiting(id, in: transaction, waiting) {
                            let metadata: [String: AuditValue] = ["webhook_event": .string(waitingEvent)]
                            try self.append(
                                NewAuditEvent(event, metadata: metadata), by: actor, at: now, in: transaction)
                            changed += 1
                            continue
                        }
                        throw AccountsError(
                            .notFound, "There is no mail \(id) in the outbox: `gatehouse outbox list` shows them.")
                    }
                    guard record.state != .sending else {
                        throw AccountsError(.refused, "Mail \(id) is being sent: try again in some minutes.")
                    }
                    // It would go on the way, and nobody would hear of it.
                    if event == .outboxRetried, let end = record.expiresAt, end <= now {
                        if case .allFailed = selection { continue }
                        throw AccountsError(
                            .refused, "The link in mail \(id) ended at \(end.rfc3339): it can only be dropped.")
                    }
                    try body(record, transaction)
                    try self.append(
                        NewAuditEvent(
                            event, userID: record.userID,
                            metadata: [
                                record.webhook == nil ? "mail" : "webhook": .string(id),
                                "template": .string(record.template),
                            ]),
                        by: actor, at: now, in: transaction)
                    changed += 1
                }
                return changed
            }
        }
        return changed
    }

    private func ids(of selection: OutboxSelection) throws(AccountsError) -> [String] {
        switch selection {
        case .one(let id): return [id]
        case .allFailed: return try outbox().filter { $0.state == "failed" }.map(\.id)
        }
    }
}

extension Array {
    fileprivate func batches(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
