public import Core
internal import LMDB

/// A mail that was not handed over yet, as it is shown: what it is about, never its link.
public struct OutboxEntry: Encodable, Sendable, Equatable {
    public let id: String
    /// `mail`.
    public let kind: String
    public let to: String
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
        kind = "mail"
        to = record.recipient
        template = record.template
        state = record.state.rawValue
        attempts = record.attempts
        lastError = record.lastError
        createdAt = record.createdAt
        nextAttemptAt = record.state == .queued ? record.dueAt : nil
        expiresAt = record.expiresAt
        userID = record.userID
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
        return records.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }.map(OutboxEntry.init)
    }

    /// Counts rows without reading them: a mail has a time at which it is due, unless it was given up.
    public func outboxCounts() throws(AccountsError) -> OutboxCounts {
        try read { transaction in
            let all = try Tables.outbox.count(in: transaction)
            let due = try Tables.outboxDue.count(in: transaction)
            return OutboxCounts(queued: due, failed: max(0, all - due))
        }
    }

    /// Tries mails again now, with the full time before they are given up.
    ///
    /// - Returns: how many.
    /// - Throws: `notFound` for an id that is not there, `refused` for a mail that is in hand.
    public func retryMail(_ selection: OutboxSelection, by actor: AuditActor) throws(AccountsError) -> Int {
        let now = clock.now()
        return try change(selection, .outboxRetried, by: actor, at: now) { record, transaction in
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
        try change(selection, .outboxDropped, by: actor, at: clock.now()) { record, transaction in
            if record.state == .queued { try Tables.outboxDue.delete(record.dueKey, in: transaction) }
            try Tables.outbox.delete(record.id, in: transaction)
        }
    }

    private func change(
        _ selection: OutboxSelection, _ event: AuditEventType, by actor: AuditActor, at now: Timestamp,
        _ body: @escaping @Sendable (OutboxRecord, borrowing WriteTransaction) throws -> Void
    ) throws(AccountsError) -> Int {
        var changed = 0
        for ids in try ids(of: selection).batches(of: Self.batchSize) {
            changed += try write { transaction in
                var changed = 0
                for id in ids {
                    guard let record = try Tables.outbox.get(id, in: transaction) else {
                        if case .allFailed = selection { continue }
                        throw AccountsError(
                            .notFound, "There is no mail \(id) in the outbox: `gatehouse outbox list` shows them.")
                    }
                    guard record.state != .sending else {
                        throw AccountsError(.refused, "Mail \(id) is being sent: try again in some minutes.")
                    }
                    try body(record, transaction)
                    try self.append(
                        NewAuditEvent(
                            event, userID: record.userID,
                            metadata: ["mail": .string(id), "template": .string(record.template)]),
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
