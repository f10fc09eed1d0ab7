internal import Core
internal import LMDB

/// What an operator sees and does of events that no webhook has taken yet.
extension Store {
    /// The event that each webhook is stuck at.
    func waitingEvents() throws(AccountsError) -> [OutboxEntry] {
        try read { transaction in
            var entries: [OutboxEntry] = []
            try Tables.webhooks.forEach(in: transaction) { id, record, _ in
                if let step = record.step { entries.append(OutboxEntry(step, of: record, webhook: id)) }
                return true
            }
            return entries
        }
    }

    /// - Parameters:
    ///   - entry: as ``OutboxEntry`` shows it, or the event's id where one webhook alone is stuck at it.
    ///   - change: of the webhook that is stuck at the event.
    /// - Returns: the event's id; nil when no webhook is stuck at it.
    func changeWaiting(
        _ entry: String, in transaction: borrowing WriteTransaction, _ change: (inout WebhookRecord) -> Void
    ) throws -> String? {
        var exact: [(id: String, record: WebhookRecord, event: String)] = []
        var sameEvent = exact
        for id in try Tables.webhooks.keys(in: transaction) {
            guard let record = try Tables.webhooks.get(id, in: transaction), let step = record.step else { continue }
            if OutboxEntry.id(of: step, webhook: id) == entry { exact.append((id, record, step.event)) }
            if step.event == entry { sameEvent.append((id, record, step.event)) }
        }
        guard var found = exact.first ?? (sameEvent.count == 1 ? sameEvent.first : nil) else { return nil }
        change(&found.record)
        try Tables.webhooks.put(found.record, for: found.id, in: transaction)
        return found.event
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
