public import Core
internal import LMDB

extension Store {
    /// The last event's sequence; 0 when there is none.
    public func lastAuditSequence() throws(AccountsError) -> UInt64 {
        try read { transaction in
            try Tables.auditHead.get(Tables.headKey, in: transaction)?.sequence ?? 0
        }
    }

    /// When the last event was written; nil when there is none that can be read.
    public func lastAuditTime() throws(AccountsError) -> Timestamp? {
        try read { transaction in
            try Tables.audit.last(in: transaction).flatMap { try? $0.1.event().createdAt }
        }
    }

    /// Events, newest first, until `body` returns false. `access` events carry their numbers as of now.
    ///
    /// Read in pieces, so that a long list holds no view of the store open.
    public func auditEvents(
        _ filter: AuditFilter = AuditFilter(), _ body: (AuditEvent) throws -> Bool
    ) throws(AccountsError) {
        let owners = try owners(filter.user)
        var before = UInt64.max
        var left = filter.limit ?? .max
        while left > 0 {
            let (events, lowest) = try read { transaction in
                try self.page(before: before, owners: owners, filter: filter, limit: left, in: transaction)
            }
            for event in events {
                left -= 1
                do {
                    guard try body(event) else { return }
                } catch {
                    throw .wrapping(error)
                }
            }
            guard let lowest, lowest > 1 else { return }
            before = lowest
        }
    }

    /// Events after a sequence, oldest first: to follow the log, and to export it.
    public func auditEvents(after sequence: UInt64, limit: Int = 1000) throws(AccountsError) -> [AuditEvent] {
        try read { transaction in
            var events: [AuditEvent] = []
            guard sequence < .max, limit > 0 else { return events }
            try Tables.audit.forEach(from: sequence + 1, in: transaction) { _, stored, _ in
                events.append(try self.current(try stored.event(), in: transaction))
                return events.count < limit
            }
            return events
        }
    }

    /// All events of a time, oldest first.
    public func exportAudit(
        from: Timestamp? = nil, to: Timestamp? = nil, _ body: (AuditEvent) throws -> Void
    ) throws(AccountsError) {
        let filter = AuditFilter(from: from, to: to)
        var sequence: UInt64 = 0
        while true {
            let events = try auditEvents(after: sequence, limit: Self.batchSize)
            guard let last = events.last else { return }
            sequence = last.sequence
            do {
                for event in events where filter.matches(event) { try body(event) }
            } catch {
                throw .wrapping(error)
            }
        }
    }

    /// At most a batch of rows looked at; the lowest sequence that was, or nil at the end.
    private func page(
        before: UInt64, owners: [String]?, filter: AuditFilter, limit: Int, in transaction: borrowing ReadTransaction
    ) throws -> (events: [AuditEvent], lowest: UInt64?) {
        var events: [AuditEvent] = []
        var seen = 0
        var lowest: UInt64?
        let last = before == .max ? before : before - 1
        if let owners {
            // Few rows each; merged by sequence.
            var sequences = Set<UInt64>()
            for owner in owners {
                let keys = try Tables.auditByUser.keys(
                    prefix: KeyPair<String, UInt64>.prefix(owner), from: KeyPair(owner, last), reversed: true,
                    limit: Self.batchSize, in: transaction)
                sequences.formUnion(keys.map(\.second))
            }
            for sequence in sequences.sorted(by: >).prefix(Self.batchSize) {
                lowest = sequence
                guard let event = try Tables.audit.get(sequence, in: transaction)?.event() else { continue }
                if filter.matches(event) { events.append(try current(event, in: transaction)) }
                if events.count >= limit { break }
            }
            return (events, lowest)
        }
        let oldest = filter.from.map { $0 - .seconds(3600) }
        var isRecent = oldest == nil
        try Tables.audit.forEach(from: last, reversed: true, in: transaction) { sequence, stored, _ in
            seen += 1
            lowest = sequence
            let event = try stored.event()
            if filter.matches(event) { events.append(try self.current(event, in: transaction)) }
            if let oldest, event.createdAt >= oldest { isRecent = true }
            return seen < Self.batchSize && events.count < limit
        }
        // Times go down with the sequence, but for jumps of the clock: one event that is much older says nothing of those
        // before it, a whole batch does.
        return (events, isRecent ? lowest : nil)
    }

    private func owners(_ selector: String?) throws(AccountsError) -> [String]? {
        guard let selector else { return nil }
        let id = try read { transaction in try self.find(user: selector, in: transaction)?.id }
        // Denials name whom they know, which may be the name only.
        return Set([id, selector].compactMap { $0 }).map { Self.auditOwner($0) }
    }
}
