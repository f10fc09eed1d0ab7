internal import Core
internal import LMDB

extension Store {
    /// Takes the mail that is due first in hand; what has outlived its link or is not readable any more goes on the way.
    ///
    /// - Returns: nil when none is due.
    func claimNextMail() throws(AccountsError) -> OutboxRecord? {
        // Mostly nothing is due: a look costs no write.
        guard try firstDue() != nil else { return nil }
        let now = clock.now()
        return try write { transaction in
            for key in try self.due(at: now, limit: 100, in: transaction) {
                try Tables.outboxDue.delete(key, in: transaction)
                guard var record = try Tables.outbox.get(key.second, in: transaction) else { continue }
                if let expiresAt = record.expiresAt, expiresAt <= now {
                    try Tables.outbox.delete(record.id, in: transaction)
                    continue
                }
                record.state = .sending
                record.attempts += 1
                record.dueAt = now + OutboxDelivery.claimPeriod
                record.giveUpAt = min(record.giveUpAt, now + Self.mailLifetime)
                try Tables.outbox.put(record, for: record.id, in: transaction)
                try Tables.outboxDue.put(EmptyRecord(), for: record.dueKey, in: transaction)
                try Tables.meta.put(MetaRecord(text: record.id), for: MetaRecord.mailInHand, in: transaction)
                return record
            }
            return nil
        }
    }

    private func firstDue() throws(AccountsError) -> KeyPair<UInt64, String>? {
        let now = clock.now()
        return try read { transaction in try self.due(at: now, limit: 1, in: transaction).first }
    }

    /// The first ones whose time has come; else those that would wait for longer than any mail does, since the clock was
    /// ahead when they were put there.
    private func due(
        at now: Timestamp, limit: Int, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [KeyPair<UInt64, String>] {
        let end = UInt64(clamping: now.milliseconds)
        let due = try Tables.outboxDue.keys(limit: limit, in: transaction).prefix { $0.first <= end }
        guard due.isEmpty else { return Array(due) }
        let latest = UInt64(clamping: (now + OutboxSchedule.longestWait).milliseconds)
        return try Tables.outboxDue.keys(reversed: true, limit: limit, in: transaction).filter { $0.first > latest }
    }

    func mailTaken(_ record: OutboxRecord) throws(AccountsError) {
        try write { transaction in
            try Tables.outboxDue.delete(record.dueKey, in: transaction)
            try Tables.outbox.delete(record.id, in: transaction)
            return ()
        }
    }

    func mailFailed(_ claimed: OutboxRecord, _ failure: MailError) throws(AccountsError) -> OutboxSchedule.Outcome {
        let now = clock.now()
        let outcome = OutboxSchedule.after(
            failure, attempts: claimed.attempts, now: now, giveUpAt: claimed.giveUpAt)
        try write { transaction in
            try Tables.outboxDue.delete(claimed.dueKey, in: transaction)
            // Dropped by the operator while it was in hand.
            guard var record = try Tables.outbox.get(claimed.id, in: transaction) else { return }
            record.lastError = String(failure.message.prefix(300))
            switch outcome {
            case .dead: record.state = .failed
            case .retry(let time):
                record.state = .queued
                record.dueAt = time
                if failure.code == .stopped { record.attempts -= 1 }
                try Tables.outboxDue.put(EmptyRecord(), for: record.dueKey, in: transaction)
            }
            try Tables.outbox.put(record, for: record.id, in: transaction)
        }
        return outcome
    }

    func openLink(of record: OutboxRecord) throws(AccountsError) -> String? {
        guard let sealed = record.sealedLink else { return nil }
        let link = try masterKeys().open(sealed, in: .mailLink, key: record.id)
        return link.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    func releaseMailClaims() throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            guard let id = try Tables.meta.get(MetaRecord.mailInHand, in: transaction)?.text,
                var record = try Tables.outbox.get(id, in: transaction), record.state == .sending
            else { return }
            try Tables.outboxDue.delete(record.dueKey, in: transaction)
            record.state = .queued
            record.dueAt = now
            try Tables.outbox.put(record, for: record.id, in: transaction)
            try Tables.outboxDue.put(EmptyRecord(), for: record.dueKey, in: transaction)
        }
    }

    /// Drops what waits, a batch at a time.
    ///
    /// - Returns: how many.
    func dropQueuedMail() throws(AccountsError) -> Int {
        guard try read({ try Tables.outboxDue.keys(limit: 1, in: $0).isEmpty }) == false else { return 0 }
        return try write { transaction in
            let keys = try Tables.outboxDue.keys(limit: Self.batchSize, in: transaction)
            for key in keys {
                try Tables.outboxDue.delete(key, in: transaction)
                try Tables.outbox.delete(key.second, in: transaction)
            }
            return keys.count
        }
    }
}
