internal import Core
internal import Glibc
internal import LMDB
internal import Synchronization

extension Store {
    /// To be called when the server has opened the store: marks it as running. Finds the mark of a server that did not
    /// stop cleanly, whose last gathered events are lost, and says so with an `audit_gap` event; seals what commands
    /// had appended without the audit key.
    ///
    /// - Parameter besideAnother: another server of the folder runs: the mark is its own, and nothing is lost.
    /// - Returns: whether the last stop was unclean.
    @discardableResult
    public func serverStarted(
        besideAnother: Bool = false, by actor: AuditActor = .system
    ) throws(AccountsError) -> Bool {
        let now = clock.now()
        // Servers of one folder share their PID namespace.
        let own = "\(getpid())"
        let wasUnclean = try write { transaction in
            let mark = besideAnother ? nil : try Tables.meta.get(MetaRecord.running, in: transaction)
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
            try Tables.meta.put(MetaRecord(at: now, text: own), for: MetaRecord.running, in: transaction)
            try self.append(NewAuditEvent(.serverStarted), by: actor, at: now, in: transaction)
            return mark != nil
        }
        serving.withLock { $0 = own }
        return wasUnclean
    }

    /// To be called when the last ``DecisionLog/drain(final:)`` is done.
    public func serverStopped(by actor: AuditActor = .system) throws(AccountsError) {
        let now = clock.now()
        let own = serving.withLock { serving in
            defer { serving = nil }
            return serving
        }
        try write { transaction in
            // Another server of the folder goes on.
            if try Tables.meta.get(MetaRecord.running, in: transaction)?.text == own {
                try Tables.meta.delete(MetaRecord.running, in: transaction)
            }
            try self.append(NewAuditEvent(.serverStopped), by: actor, at: now, in: transaction)
            return ()
        }
    }

    /// Writes down that another configuration was put into force.
    ///
    /// - Parameters:
    ///   - changed: the keys that differ, by path.
    ///   - needsRestart: those of them that keep their old value until the server is started again.
    public func configurationReloaded(
        changed: [String], needsRestart: [String], by actor: AuditActor
    ) throws(AccountsError) {
        try noteConfiguration(
            NewAuditEvent(
                .configReloaded,
                metadata: ["changed": .strings(Self.bounded(changed)), "needs_restart": .strings(needsRestart)]),
            by: actor)
    }

    /// Writes down that a configuration was not taken.
    ///
    /// - Parameter errors: what was wrong with it; no secrets.
    public func configurationRefused(errors: [String], by actor: AuditActor) throws(AccountsError) {
        try noteConfiguration(
            NewAuditEvent(
                .configRefused, success: false, reason: "invalid",
                metadata: ["errors": .strings(Self.bounded(errors))]),
            by: actor)
    }

    private func noteConfiguration(_ event: NewAuditEvent, by actor: AuditActor) throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            try self.append(event, by: actor, at: now, in: transaction)
            return ()
        }
    }

    /// An event is no copy of a configuration: 50 texts of at most 300 characters.
    private static func bounded(_ texts: [String]) -> [String] {
        let kept = texts.prefix(50).map { String($0.prefix(300)) }
        return texts.count > kept.count ? kept + ["… and \(texts.count - kept.count) more"] : kept
    }

    /// Moves the running mark on, and sets it again when a server that ran beside this one has taken it away: an audit
    /// gap begins at the last of these.
    func noteSignOfLife(_ now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        guard let own = serving.withLock({ $0 }) else { return }
        try Tables.meta.put(MetaRecord(at: now, text: own), for: MetaRecord.running, in: transaction)
    }
}
