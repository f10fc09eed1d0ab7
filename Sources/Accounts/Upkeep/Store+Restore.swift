public import Core
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

    private enum CodingKeys: String, CodingKey {
        case replayed
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
    /// - Returns: the store, open for this process alone, and what was done.
    /// - Throws: `noMasterKey`, `wrongMasterKey` when the backup was sealed under another one, `store` (in use, …).
    public static func restore(
        from folder: String, into configuration: Configuration, auditExport: [String]? = nil, clock: any WallClock,
        random: any RandomSource = SystemRandom(), by actor: AuditActor
    ) throws(AccountsError) -> (store: Store, report: RestoreReport) {
        guard let masterKeys = configuration.masterKeys else {
            throw AccountsError(.noMasterKey, "A restore needs the master key: run it where master_key can be read.")
        }
        let auditKeys = masterKeys.auditKeys
        let head = try checkFit(
            folder, configuration: configuration, masterKeys: masterKeys, clock: clock, random: random,
            auditKeys: auditKeys)
        let exported = try auditExport.map { lines throws(AccountsError) in try revocations(in: lines, after: head) }
        let known = try? laterRevocations(
            of: configuration, after: head, clock: clock, random: random, auditKeys: auditKeys)
        let environment: Environment
        do {
            environment = try Environment.restore(
                fromFolder: folder,
                Environment.Configuration(
                    path: configuration.dataFolder, maximumSize: configuration.maximumSize, access: .exclusive,
                    schemaVersion: schemaVersion, tables: Tables.descriptions))
        } catch {
            throw AccountsError(.store, "The backup was not restored.", cause: error)
        }
        let store = Store(
            configuration, environment: environment, clock: clock, random: random, auditKeys: auditKeys)
        do {
            try AuditKeyFile.write(auditKeys, folder: configuration.dataFolder)
            let ended = try store.endAllSessions()
            let replayed = try store.replay(exported ?? [], by: actor)
            let done = Set(replayed.map(\.sequence))
            let lost = (known ?? exported)?.filter { !done.contains($0.sequence) }
            let report = RestoreReport(
                auditSequence: head.sequence, sessionsEnded: ended, lostRevocations: lost, replayed: replayed)
            try store.noteRestore(report, from: folder, by: actor)
            return (store, report)
        } catch {
            store.close()
            throw error
        }
    }

    /// Opens the backup and shows that our master keys can open what is sealed in it.
    private static func checkFit(
        _ folder: String, configuration: Configuration, masterKeys: MasterKeys, clock: any WallClock,
        random: any RandomSource, auditKeys: AuditKeys
    ) throws(AccountsError) -> AuditHead {
        let backup = try openBackup(
            folder, like: configuration, clock: clock, random: random, auditKeys: auditKeys)
        defer { backup.close() }
        _ = try backup.check(masterKeys)
        return try backup.read { transaction in
            try Tables.auditHead.get(Tables.headKey, in: transaction) ?? AuditHead()
        }
    }

    private static let revocationTypes: Set<String> = Set(
        [
            AuditEventType.userDisabled, .userDeleted, .userGroupsChanged, .apiKeyRevoked, .apiKeyRotated,
            .sessionRevoked, .signingKeyRetired, .blockAdded, .socialAccountUnlinked,
        ].map(\.rawValue))

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
            if event.sequence > head.sequence, revocationTypes.contains(event.type) { found.append(event) }
        }
        return found
    }

    private static func revocations(in lines: [String], after head: AuditHead) throws(AccountsError) -> [AuditEvent] {
        var events: [AuditEvent] = []
        for (index, line) in lines.enumerated() where !line.isEmpty {
            guard let event = try? JSON.decode(AuditEvent.self, from: Array(line.utf8)) else {
                throw AccountsError(.invalid, "Line \(index + 1) of the audit export is no event.")
            }
            if event.sequence > head.sequence, revocationTypes.contains(event.type) { events.append(event) }
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

    /// Does revocations again, in their order; what is not there any more needs none.
    private func replay(_ events: [AuditEvent], by actor: AuditActor) throws(AccountsError) -> [AuditEvent] {
        var done: [AuditEvent] = []
        for event in events.sorted(by: { $0.sequence < $1.sequence }) {
            do throws(AccountsError) {
                if try replay(event, by: actor) { done.append(event) }
            } catch  where error.code == .notFound || error.code == .exists {
                done.append(event)
            }
        }
        return done
    }

    private func replay(_ event: AuditEvent, by actor: AuditActor) throws(AccountsError) -> Bool {
        switch (AuditEventType(rawValue: event.type), event.userID) {
        case (.userDisabled, let id?): _ = try disableUser(id, by: actor)
        case (.userDeleted, let id?): _ = try deleteUser(id, by: actor)
        case (.userGroupsChanged, let id?):
            guard case .strings(let groups) = event.metadata["to"] else { return false }
            _ = try setGroups(id, to: groups, by: actor)
        case (.apiKeyRevoked, _):
            guard case .string(let id) = event.metadata["key"] else { return false }
            _ = try revokeAPIKey(id, by: actor)
        case (.sessionRevoked, _): return true
        case (.signingKeyRetired, _):
            guard case .string(let kid) = event.metadata["kid"] else { return false }
            _ = try retireSigningKey(kid, by: actor)
        case (.blockAdded, _):
            guard let subject = BlockSubject(event.metadata) else { return false }
            _ = try addBlock(subject, note: "from the audit log", by: actor)
        case (.socialAccountUnlinked, let id?):
            guard case .string(let issuer) = event.metadata["issuer"],
                case .string(let subject) = event.metadata["subject"]
            else { return false }
            try unlinkAgain(issuer: issuer, subject: subject, of: id, by: actor)
        default: return false
        }
        return true
    }

    private func unlinkAgain(
        issuer: String, subject: String, of userID: String, by actor: AuditActor
    ) throws(AccountsError) {
        let now = clock.now()
        try write { transaction -> Void in
            let key = BlockSubject.subject(issuer: issuer, subject: subject).key
            guard let link = try Tables.socialAccounts.get(key, in: transaction), link.userID == userID,
                var user = try Tables.users.get(userID, in: transaction)
            else { return }
            try self.unlink(link, from: &user, in: transaction)
            try Tables.users.put(user, for: userID, in: transaction)
            try self.append(
                NewAuditEvent(
                    .socialAccountUnlinked, user: user.username, userID: userID,
                    metadata: [
                        "provider": .string(link.provider), "issuer": .string(issuer), "subject": .string(subject),
                    ]),
                by: actor, at: now, in: transaction)
        }
    }

    private func noteRestore(
        _ report: RestoreReport, from folder: String, by actor: AuditActor
    ) throws(AccountsError) {
        try recordEvent(
            NewAuditEvent(
                .storeRestored,
                metadata: [
                    "folder": .string(folder), "sequence": .integer(Int64(clamping: report.auditSequence)),
                    "sessions_ended": .integer(Int64(report.sessionsEnded)),
                    "lost_revocations": .integer(Int64(report.lostRevocations?.count ?? -1)),
                    "replayed": .integer(Int64(report.replayed.count)),
                ]),
            by: actor)
    }
}

extension BlockSubject {
    fileprivate init?(_ metadata: [String: AuditValue]) {
        if case .string(let text) = metadata["email"], let email = EmailAddress(text) {
            self = .email(email)
        } else if case .string(let issuer) = metadata["issuer"], case .string(let subject) = metadata["subject"] {
            self = .subject(issuer: issuer, subject: subject)
        } else {
            return nil
        }
    }
}
