internal import Core
internal import LMDB

extension Store {
    /// Reads the whole log and says whether it is as it was written.
    ///
    /// What can be told depends on the keys. With the audit key a changed, missing, reordered or cut event is found
    /// whoever did it without that key. Without it only the chain is checked: whoever rewrites all of it is not found.
    ///
    /// - Parameter checkpoint: the line that ``auditCheckpoint()`` gave; the log must still contain it.
    /// - Throws: `invalid` for a checkpoint that is none, `damaged` when the pages of the log are.
    public func verifyAudit(checkpoint: String? = nil) throws(AccountsError) -> AuditVerification {
        let damage = try damagedPages(
            in: [
                Tables.audit.description, Tables.auditHead.description, Tables.keys.description,
                Tables.users.description,
            ])
        guard damage.isEmpty else {
            throw AccountsError(
                .damaged, "The store is damaged: restore a backup (\(damage.joined(separator: "; "))).")
        }
        return try verifySoundAudit(checkpoint: checkpoint)
    }

    /// The same, where the pages were looked at already.
    func verifySoundAudit(checkpoint: String? = nil) throws(AccountsError) -> AuditVerification {
        var parsed: AuditCheckpoint?
        if let checkpoint { parsed = try AuditCheckpoint.parse(checkpoint, auditKeys) }
        var verifier = AuditVerifier(keys: auditKeys, checkpoint: parsed)
        while try read({ transaction in try verifier.step(limit: Self.batchSize, in: transaction) }) {}
        return verifier.result
    }

    /// The line to be kept elsewhere: how the log is now, with a code under the audit key (`-` without one).
    public func auditCheckpoint() throws(AccountsError) -> String {
        let now = clock.now()
        let keys = auditKeys
        return try read { transaction in
            let head = try Tables.auditHead.get(Tables.headKey, in: transaction) ?? AuditHead()
            return try AuditCheckpoint(sequence: head.sequence, hash: head.hash, at: now).text(keys.sealing)
        }
    }

    func damagedPages(in tables: [TableDescription]? = nil) throws(AccountsError) -> [String] {
        do {
            return try environment.damagedPages(in: tables)
        } catch {
            throw .wrapping(error)
        }
    }

    /// Removes events older than `retention`, and the aggregates of their time. The chain stays verifiable from the
    /// hash of the last one that was removed, which the log's head keeps under a seal.
    ///
    /// - Returns: how many events were removed.
    /// - Throws: `refused` without the audit key, since the anchor could not be sealed.
    public func pruneAudit(retention: Duration, by actor: AuditActor = .system) throws(AccountsError) -> Int {
        guard auditKeys.sealing != nil else {
            throw AccountsError(.refused, "Pruning the audit log needs the audit key: let the server do it.")
        }
        let now = clock.now()
        let limit = now - retention
        // What the old seal vouches for is looked at while it is there.
        try write { transaction in try self.sealWhatIsNot(by: actor, at: now, in: transaction) }
        var removed = 0
        while true {
            let count = try write { transaction in
                try self.pruneBatch(olderThan: limit, now: now, in: transaction)
            }
            removed += count
            if count < Self.batchSize { break }
        }
        try pruneAccess(before: limit)
        guard removed > 0 else { return 0 }
        let total = removed
        try write { transaction in
            let anchor = try Tables.auditHead.get(Tables.headKey, in: transaction)?.anchor
            try self.append(
                NewAuditEvent(
                    .auditPruned,
                    metadata: [
                        "events": .integer(Int64(total)), "through": .integer(Int64(clamping: anchor?.sequence ?? 0)),
                        "hash": .string(anchor?.hash ?? ""),
                    ]),
                by: actor, at: now, in: transaction)
        }
        return removed
    }

    /// Never the last event: the chain has to go on from something.
    private func pruneBatch(
        olderThan limit: Timestamp, now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Int {
        guard var head = try Tables.auditHead.get(Tables.headKey, in: transaction) else { return 0 }
        let doomed = try oldEvents(before: head.sequence, olderThan: limit, now: now, in: transaction)
        guard let last = doomed.last else { return 0 }
        for event in doomed {
            try Tables.audit.delete(event.sequence, in: transaction)
            guard let owner = event.owner else { continue }
            try Tables.auditByUser.delete(KeyPair(owner, event.sequence), in: transaction)
        }
        var anchor = AuditHead.Anchor(sequence: last.sequence, hash: last.hash)
        if let key = auditKeys.sealing {
            anchor.seal = try .make(
                sequence: last.sequence, hash: last.hash, purpose: AuditHead.anchorPurpose, with: key)
        }
        head.anchor = anchor
        try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        return doomed.count
    }

    /// A batch of the oldest events. One of the future was written when the clock was ahead: it is as old as the next one
    /// that is dated.
    private func oldEvents(
        before end: UInt64, olderThan limit: Timestamp, now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> [(sequence: UInt64, owner: String?, hash: String)] {
        var old: [(sequence: UInt64, owner: String?, hash: String)] = []
        var certain = 0
        var seen = 0
        try Tables.audit.forEach(in: transaction) { sequence, stored, _ in
            guard sequence < end, certain < Self.batchSize, seen < 10 * Self.batchSize else { return false }
            let event = try stored.event()
            guard event.createdAt < limit || event.createdAt > now else { return false }
            seen += 1
            if old.count < Self.batchSize { old.append((sequence, Self.auditOwner(of: event), stored.hash)) }
            if event.createdAt < limit { certain = old.count }
            return true
        }
        return Array(old.prefix(certain))
    }
}
