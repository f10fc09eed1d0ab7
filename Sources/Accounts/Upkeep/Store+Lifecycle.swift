internal import Core
internal import LMDB

extension Store {
    /// To be called when the server has opened the store: marks it as running. Finds the mark of a server that did not
    /// stop cleanly, whose last gathered events are lost, and says so with an `audit_gap` event; seals what commands
    /// had appended without the audit key.
    ///
    /// - Returns: whether the last stop was unclean.
    @discardableResult
    public func serverStarted(by actor: AuditActor = .system) throws(AccountsError) -> Bool {
        let now = clock.now()
        return try write { transaction in
            let mark = try Tables.meta.get(MetaRecord.running, in: transaction)
            try self.sealWhatIsNot(by: actor, at: now, in: transaction)
            if let mark {
                try self.append(
                    NewAuditEvent(
                        .auditGap, success: false, reason: "unclean_stop",
                        metadata: [
                            "from": .string((mark.at ?? now).rfc3339), "to": .string(now.rfc3339),
                        ]),
                    by: actor, at: now, in: transaction)
            }
            try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.running, in: transaction)
            try self.append(NewAuditEvent(.serverStarted), by: actor, at: now, in: transaction)
            return mark != nil
        }
    }

    /// To be called when the last ``DecisionLog/drain(final:)`` is done.
    public func serverStopped(by actor: AuditActor = .system) throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            try Tables.meta.delete(MetaRecord.running, in: transaction)
            try self.append(NewAuditEvent(.serverStopped), by: actor, at: now, in: transaction)
            return ()
        }
    }

    /// Moves the running mark on, where there is one: an audit gap begins at the last of these.
    func noteSignOfLife(_ now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        guard try Tables.meta.revision(of: MetaRecord.running, in: transaction) != nil else { return }
        try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.running, in: transaction)
    }
}
