internal import Core
internal import LMDB

/// What an operator sees and does of events that no webhook has taken yet.
extension Store {
    /// The event that each webhook is stuck at.
    func waitingEvents() throws(AccountsError) -> [OutboxEntry] {
        try read { transaction in
            var entries: [OutboxEntry] = []
            try Tables.webhooks.forEach(in: transaction) { _, record, _ in
                if let step = record.step { entries.append(OutboxEntry(step, of: record)) }
                return true
            }
            return entries
        }
    }

    /// - Parameter change: of the webhook that is stuck at the event.
    /// - Returns: whether there is one.
    func changeWaiting(
        _ event: String, in transaction: borrowing WriteTransaction, _ change: (inout WebhookRecord) -> Void
    ) throws -> Bool {
        for id in try Tables.webhooks.keys(in: transaction) {
            guard var record = try Tables.webhooks.get(id, in: transaction), let step = record.step,
                step.event == event
            else { continue }
            change(&record)
            try Tables.webhooks.put(record, for: id, in: transaction)
            return true
        }
        return false
    }

    /// Has a letter tried again: next, and at once.
    func retry(letter record: OutboxRecord, of webhook: String, in transaction: borrowing WriteTransaction) throws {
        guard var waiting = try Tables.webhooks.get(webhook, in: transaction) else {
            throw AccountsError(
                .refused, "\(record.id) is for a webhook that is not configured any more: it can only be dropped.")
        }
        try removeLetter(record.id, in: transaction)
        var record = record
        record.state = .queued
        record.attempts = 0
        record.answers = nil
        record.triedSince = nil
        // Before everything else that waits.
        record.dueAt = Timestamp(milliseconds: 0)
        try put(aside: record, in: transaction)
        waiting.recover()
        try Tables.webhooks.put(waiting, for: webhook, in: transaction)
    }

    func drop(letter record: OutboxRecord, in transaction: borrowing WriteTransaction) throws {
        try removeLetter(record.id, in: transaction)
    }
}
