public import Core
internal import Glibc
internal import LMDB

/// What a restore did.
public struct RestoreReport: Encodable, Sendable {
    /// The last audit event of the backup.
    public let auditSequence: UInt64
    /// How many sessions were ended, access tokens with them.
    public let sessionsEnded: Int
    /// Revocations that were made after the backup and are lost: do them again. Nil: it is not known, since the store
    /// that was replaced could not be read (or was another one) and no export was given.
    public let lostRevocations: [AuditEvent]?
    /// Revocations that were made after the backup and were done again from the export.
    public let replayed: [AuditEvent]
    /// What is wrong with the backup, and was restored all the same since the caller said so.
    public let problems: [String]

    private enum CodingKeys: String, CodingKey {
        case replayed, problems
        case auditSequence = "audit_sequence"
        case sessionsEnded = "sessions_ended"
        case lostRevocations = "lost_revocations"
    }
}

extension Store {
    /// Puts a backup in the place of the store. All sessions and access tokens end, since some may have been revoked
    /// after the backup; API keys stay. Revocations after the backup are lost unless an audit export is given.
    ///
    /// - Parameters:
    ///   - configuration: with master keys; the folder's store must not be in use.
    ///   - auditExport: lines of `audit export`, from which later revocations are done again; nil: none.
    ///   - despiteProblems: takes also a backup whose tables contradict one another or whose audit log was changed.
    /// - Returns: the store, open for this process alone, and what was done.
    /// - Throws: `notFound` without a backup in the folder, `noMasterKey`, `wrongMasterKey` when the backup was sealed
    ///   under another one, `damaged` for a backup that does not pass its check, `store` (in use, …). Nothing was
    ///   replaced then.
    public static func restore(
        from folder: String, into configuration: Configuration, auditExport: [String]? = nil,
        despiteProblems: Bool = false, clock: any WallClock, random: any RandomSource = SystemRandom(),
        by actor: AuditActor
    ) throws(AccountsError) -> (store: Store, report: RestoreReport) {
        guard let masterKeys = configuration.masterKeys else {
            throw AccountsError(.noMasterKey, "A restore needs the master key: run it where master_key can be read.")
        }
        let auditKeys = masterKeys.auditKeys
        guard access("\(folder)/data.mdb", F_OK) == 0 || errno != ENOENT && errno != ENOTDIR else {
            throw AccountsError(.notFound, "There is no backup in \(folder): name the folder that `backup` wrote.")
        }
        let (head, problems) = try checkFit(
            folder, configuration: configuration, masterKeys: masterKeys, clock: clock, random: random,
            auditKeys: auditKeys)
        guard problems.isEmpty || despiteProblems else {
            throw AccountsError(
                .damaged,
                "The backup is not sound and was not restored; `--despite-problems` does it all the same:\n"
                    + problems.joined(separator: "\n"))
        }
        let exported = try auditExport.map { lines throws(AccountsError) in try revocations(in: lines, after: head) }
        let known = try? laterRevocations(
            of: configuration, after: head, clock: clock, random: random, auditKeys: auditKeys)
        let restored: (environment: Environment, prepared: RestoreReport)
        do {
            restored = try Environment.restore(
                fromFolder: folder,
                Environment.Configuration(
                    path: configuration.dataFolder, maximumSize: configuration.maximumSize, access: .exclusive,
                    schemaVersion: schemaVersion, tables: Tables.descriptions)
            ) { copy in
                let store = Store(configuration, environment: copy, clock: clock, random: random, auditKeys: auditKeys)
                let ended = try store.endAllSessions()
                let replayed = try store.replay(exported ?? [], by: actor)
                // The store that is replaced may have been restored from the same backup before: the export knows more
                // then.
                let later = known == nil && exported == nil ? nil : (known ?? []).joined(with: exported ?? [])
                let report = RestoreReport(
                    auditSequence: head.sequence, sessionsEnded: ended, lostRevocations: later?.lost(besides: replayed),
                    replayed: replayed, problems: problems)
                try store.noteRestore(report, from: folder, by: actor)
                // Last: what can still fail leaves a store that other keys may have sealed.
                try AuditKeyFile.write(auditKeys, folder: configuration.dataFolder)
                return report
            }
        } catch let error as LMDBError {
            throw AccountsError(.store, "The backup was not restored.", cause: error)
        } catch {
            throw .wrapping(error)
        }
        let store = Store(
            configuration, environment: restored.environment, clock: clock, random: random, auditKeys: auditKeys)
        return (store, restored.prepared)
    }

    /// Opens the backup, shows that our master keys can open what is sealed in it, and reads all of it.
    ///
    /// - Returns: also what is wrong with it and can be restored all the same.
    private static func checkFit(
        _ folder: String, configuration: Configuration, masterKeys: MasterKeys, clock: any WallClock,
        random: any RandomSource, auditKeys: AuditKeys
    ) throws(AccountsError) -> (AuditHead, problems: [String]) {
        let backup = try openBackup(
            folder, like: configuration, clock: clock, random: random, auditKeys: auditKeys)
        defer { backup.close() }
        _ = try backup.check(masterKeys)
        let found = try backup.examine(pagesAreSound: true)
        guard found.unreadable.isEmpty else {
            throw AccountsError(
                .damaged, "The backup is damaged and cannot be restored:\n" + found.unreadable.joined(separator: "\n"))
        }
        let head = try backup.read { transaction in
            try Tables.auditHead.get(Tables.headKey, in: transaction) ?? AuditHead()
        }
        return (head, found.contradictions)
    }

    /// What the store that is about to be replaced knows of; nil when it is not the backup's own past.
    private static func laterRevocations(
        of configuration: Configuration, after head: AuditHead, clock: any WallClock, random: any RandomSource,
        auditKeys: AuditKeys
    ) throws(AccountsError) -> [AuditEvent]? {
        let present = try openBackup(
            configuration.dataFolder, like: configuration, clock: clock, random: random, auditKeys: auditKeys)
        defer { present.close() }
        let isSame = try present.read { transaction in
            if head.sequence == 0 { return true }
            return try Tables.audit.get(head.sequence, in: transaction)?.hash == head.hash
        }
        guard isSame else { return nil }
        var found: [AuditEvent] = []
        try present.exportAudit { event in
            if event.sequence > head.sequence, event.isReplayed { found.append(event) }
        }
        return found
    }

    private static func revocations(in lines: [String], after head: AuditHead) throws(AccountsError) -> [AuditEvent] {
        var events: [AuditEvent] = []
        for (index, line) in lines.enumerated() where !line.isEmpty {
            guard let event = try? JSON.decode(AuditEvent.self, from: Array(line.utf8)) else {
                throw AccountsError(.invalid, "Line \(index + 1) of the audit export is no event.")
            }
            if event.sequence > head.sequence, event.isReplayed { events.append(event) }
        }
        return events
    }

    private func endAllSessions() throws(AccountsError) -> Int {
        let now = clock.now()
        // What waited when the backup was made has been handed over since, and its links have ended.
        while try dropQueuedMail() > 0 {}
        while try dropLinks() > 0 {}
        var ended = 0
        while true {
            let (removed, alive) = try write { transaction in
                var alive = 0
                let ids = try Tables.sessions.keys(limit: Self.batchSize, in: transaction)
                for id in ids {
                    guard let record = try Tables.sessions.get(id, in: transaction) else { continue }
                    if record.revokedAt == nil, record.expiresAt > now { alive += 1 }
                    try self.removeSession(record, in: transaction)
                }
                return (ids.count, alive)
            }
            ended += alive
            if removed < Self.batchSize { return ended }
        }
    }

    /// Removes links: one that was used after the backup would be good once more. They can be asked for again.
    private func dropLinks() throws(AccountsError) -> Int {
        try write { transaction in
            let digests = try Tables.oneTimeLinks.keys(limit: Self.batchSize, in: transaction)
            for digest in digests { try Tables.oneTimeLinks.delete(digest, in: transaction) }
            let keys = try Tables.linksByUser.keys(limit: Self.batchSize, in: transaction)
            for key in keys { try Tables.linksByUser.delete(key, in: transaction) }
            return digests.count + keys.count
        }
    }

    private func noteRestore(
        _ report: RestoreReport, from folder: String, by actor: AuditActor
    ) throws(AccountsError) {
        try recordEvent(
            NewAuditEvent(
                .storeRestored, success: report.problems.isEmpty,
                metadata: [
                    "folder": .string(folder), "sequence": .integer(Int64(clamping: report.auditSequence)),
                    "sessions_ended": .integer(Int64(report.sessionsEnded)),
                    "lost_revocations": .integer(Int64(report.lostRevocations?.count ?? -1)),
                    "replayed": .integer(Int64(report.replayed.count)),
                ]),
            by: actor)
    }
}
