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

    /// Gives up the oldest one that is aside when there are too many for one more, so that new events go on.
    ///
    /// - Returns: it; nil when there is room.
    func makeRoomAside(
        of webhook: String, in transaction: borrowing WriteTransaction
    ) throws -> OutboxRecord? {
        let keys = try Tables.webhookRetries.keys(prefix: KeyPair<String, String>.prefix(webhook), in: transaction)
        guard keys.count >= WebhookSchedule.maximumAside else { return nil }
        // What the operator has just asked for comes last.
        let oldest = keys.map(\.second).min { one, other in
            let (isAsked, isOtherAsked) = (OutboxRecord.isAskedFor(one), OutboxRecord.isAskedFor(other))
            return isAsked == isOtherAsked ? OutboxRecord.event(in: one) < OutboxRecord.event(in: other) : isOtherAsked
        }
        guard let oldest, var letter = try Tables.outbox.get(OutboxRecord.letterID(in: oldest), in: transaction)
        else { return nil }
        try removeLetter(letter.id, in: transaction)
        letter.state = .failed
        try put(aside: letter, in: transaction)
        return letter
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

    /// Put there by the operator, before everything else.
    fileprivate static func isAskedFor(_ key: String) -> Bool { key.hasPrefix(ordered(0) + ".") }

    /// The event's number, in the order of the numbers.
    fileprivate static func event(in key: String) -> Substring {
        key.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).dropFirst().first ?? ""
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
