internal import Core
internal import LMDB

extension Store {
    /// Shows that the store can be read and written, for `/readyz`. Writes one small row.
    public func probe() throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.probe, in: transaction)
        }
        _ = try read { transaction in
            try Tables.meta.get(MetaRecord.probe, in: transaction)
        }
    }

    /// What ``check()`` and the checks of backups are made of.
    struct Examination {
        /// Damage to pages, or rows that this version cannot read. Nothing else was looked at then.
        var unreadable: [String] = []
        /// Tables that contradict one another, and the audit log's first bad event.
        var contradictions: [String] = []
        /// Nil when it was not looked at.
        var audit: AuditVerification?

        var problems: [String] { unreadable + contradictions }
    }

    /// Reads everything (`gatehouse store check`): every page, every row of every table, what leads from one table to
    /// another, and the whole audit log.
    ///
    /// - Returns: a sentence a problem; empty when all is well.
    public func check() throws(AccountsError) -> [String] { try examine().problems }

    /// - Parameter pagesAreSound: they were looked at when the store was opened.
    func examine(pagesAreSound: Bool = false) throws(AccountsError) -> Examination {
        var found = Examination()
        if !pagesAreSound { found.unreadable = try damagedPages() }
        guard found.unreadable.isEmpty else { return found }
        found.unreadable = try read { transaction in
            try Tables.all.compactMap { table in
                let count = try table.unreadableRows(in: transaction)
                guard count > 0 else { return nil }
                return "table \(table.description.name) has \(count) rows that cannot be read"
            }
        }
        guard found.unreadable.isEmpty else { return found }
        found.contradictions = try read { transaction in
            var contradictions = Contradictions()
            try self.compareAccounts(&contradictions, in: transaction)
            try self.compareCredentials(&contradictions, in: transaction)
            try self.compareLogs(&contradictions, in: transaction)
            return contradictions.sentences
        }
        let audit = try verifySoundAudit()
        found.audit = audit
        if let problem = audit.problem {
            found.contradictions.append("the audit log, event \(problem.sequence): \(problem.message)")
        }
        return found
    }
}
