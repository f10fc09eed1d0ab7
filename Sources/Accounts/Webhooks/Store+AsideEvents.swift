internal import Core
internal import LMDB

/// Events that wait for their own time while others pass them: put aside, or given up and tried again by the operator.
extension Store {
    /// The first one whose time has come.
    func nextAside(
        of webhook: String, at now: Timestamp, in transaction: borrowing ReadTransaction
    ) throws -> WebhookRecord.Step? {
        let prefix = KeyPair<String, String>.prefix(webhook)
        guard let first = try Tables.webhookRetries.keys(prefix: prefix, limit: 1, in: transaction).first,
            let letter = try Tables.outbox.get(OutboxRecord.letterID(in: first.second), in: transaction),
            let sequence = letter.event, !WebhookSchedule.holds(letter.dueAt, at: now)
        else { return nil }
        return WebhookRecord.Step(
            sequence: sequence, event: letter.fields["event"] ?? letter.id, type: letter.template,
            createdAt: letter.createdAt, attempts: letter.attempts, since: letter.triedSince ?? now,
            letter: letter.id, answers: letter.answers)
    }

    func asideCount(of webhook: String, in transaction: borrowing WriteTransaction) throws -> Int {
        try Tables.webhookRetries.keys(prefix: KeyPair<String, String>.prefix(webhook), in: transaction).count
    }

    func put(aside letter: OutboxRecord, in transaction: borrowing WriteTransaction) throws {
        try Tables.outbox.put(letter, for: letter.id, in: transaction)
        if let key = letter.asideKey { try Tables.webhookRetries.put(EmptyRecord(), for: key, in: transaction) }
    }

    /// Removes a letter, wherever it stands.
    func removeLetter(_ id: String, in transaction: borrowing WriteTransaction) throws {
        guard let letter = try Tables.outbox.get(id, in: transaction) else { return }
        try Tables.outbox.delete(id, in: transaction)
        if let key = letter.asideKey { try Tables.webhookRetries.delete(key, in: transaction) }
    }

    /// Changes all that are aside.
    func changeAside(
        of webhook: String, in transaction: borrowing WriteTransaction, _ change: (inout OutboxRecord) -> Void
    ) throws {
        for key in try Tables.webhookRetries.keys(prefix: KeyPair<String, String>.prefix(webhook), in: transaction) {
            try Tables.webhookRetries.delete(key, in: transaction)
            guard var letter = try Tables.outbox.get(OutboxRecord.letterID(in: key.second), in: transaction) else {
                continue
            }
            change(&letter)
            try put(aside: letter, in: transaction)
        }
    }
}

extension OutboxRecord {
    /// Its row in `webhook_retries`: by time, then by event; nil while it does not wait.
    var asideKey: KeyPair<String, String>? {
        guard let webhook, state == .queued else { return nil }
        let due = Self.ordered(UInt64(clamping: max(0, dueAt.milliseconds)))
        return KeyPair(webhook, "\(due).\(Self.ordered(event ?? 0)).\(id)")
    }

    static func letterID(in key: String) -> String {
        String(key.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).last ?? "")
    }

    /// In the order of the numbers.
    private static func ordered(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
