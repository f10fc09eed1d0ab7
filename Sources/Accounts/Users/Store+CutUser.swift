internal import Core
internal import LMDB

extension Store {
    /// Ends everything of an account: sessions with their tokens, API keys, links, known devices, and foreign identities that come
    /// with its e-mail address or are matched to it. From the next request on nothing of it is accepted.
    ///
    /// - Throws: `notFound`.
    public func disableUser(_ selector: String, by actor: AuditActor) throws(AccountsError) -> CutReport {
        let now = clock.now()
        let (report, more) = try write { transaction in
            try self.disable(try self.require(user: selector, in: transaction), by: actor, at: now, in: transaction)
        }
        return more ? try cutRest(report, at: now) : report
    }

    /// - Returns: what was cut; whether there may be more to cut than one transaction may, all of it stale already.
    func disable(
        _ user: UserRecord, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> (report: CutReport, more: Bool) {
        var user = user
        user.disabled = true
        user.epoch = user.epoch &+ 1
        try Tables.users.put(user, for: user.id, in: transaction)
        var report = CutReport(user: User(user))
        report.blockedEmail = try block(emailOf: user, by: actor, at: now, in: transaction)
        let more = try cut(user.id, at: now, into: &report, in: transaction)
        try append(Self.event(.userDisabled, report), by: actor, at: now, in: transaction)
        return (report, more)
    }

    /// Lets an account be used again, with new credentials: what was ended stays ended. The block that disabling set
    /// is lifted, one that the operator set otherwise stays.
    ///
    /// - Throws: `notFound`.
    public func enableUser(_ selector: String, by actor: AuditActor) throws(AccountsError) -> User {
        try change(user: selector, by: actor) { user, transaction in
            user.disabled = false
            let subject = BlockSubject.emailText(user.canonicalEmail)
            if let block = try Tables.blocks.get(subject.key, in: transaction), block.disabledUser == user.id {
                _ = try Tables.blocks.delete(subject.key, in: transaction)
            }
            return NewAuditEvent(.userEnabled)
        }
    }

    /// Removes an account for good. Its user names are never given to another one; its audit events stay. The block that
    /// disabling it has set stays too: whoever was shut out does not come back, by another issuer, with the end of the
    /// account. It is lifted when the operator makes an account with the address.
    ///
    /// - Throws: `notFound`.
    public func deleteUser(_ selector: String, by actor: AuditActor) throws(AccountsError) -> CutReport {
        let now = clock.now()
        let (report, more) = try write { transaction in
            let user = try self.require(user: selector, in: transaction)
            var report = CutReport(user: User(user))
            _ = try Tables.users.delete(user.id, in: transaction)
            _ = try Tables.usersByEmail.delete(user.canonicalEmail, in: transaction)
            _ = try Tables.passwords.delete(user.id, in: transaction)
            try self.removeFactors(of: user.id, in: transaction)
            try self.removeSocialAccounts(of: user.id, in: transaction)
            _ = try Tables.lockouts.delete(LockoutSubject.user(user.id).key, in: transaction)
            try Tables.usersByName.put(
                NameRecord(userID: user.id, current: false), for: UserName.folded(user.username), in: transaction)
            let block = BlockSubject.emailText(user.canonicalEmail)
            if try Tables.blocks.revision(of: block.key, in: transaction) != nil {
                report.blockedEmail = user.canonicalEmail
            }
            let more = try self.cut(user.id, at: now, into: &report, in: transaction)
            try self.append(Self.event(.userDeleted, report), by: actor, at: now, in: transaction)
            return (report, more)
        }
        return more ? try cutRest(report, at: now) : report
    }

    private static func event(_ type: AuditEventType, _ report: CutReport) -> NewAuditEvent {
        NewAuditEvent(
            type, user: report.user.username, userID: report.user.id,
            metadata: [
                "sessions": .integer(Int64(report.sessions.count)), "api_keys": .integer(Int64(report.apiKeys.count)),
                "links": .integer(Int64(report.links)),
            ])
    }

    /// Marks the rows that one transaction may; the epoch (or the missing account) has already made all of them stale.
    ///
    /// - Returns: whether there may be more.
    private func cut(
        _ userID: String, at now: Timestamp, into report: inout CutReport, in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        var changed = 0
        for id in try sessionIDs(of: userID, in: transaction) {
            guard changed < Self.batchSize else { return true }
            guard var session = try Tables.sessions.get(id, in: transaction), session.revokedAt == nil else { continue }
            try end(&session, at: now, in: transaction)
            if session.expiresAt > now {
                report.sessions.append(id)
                if session.kind != .browser { report.tokens += 1 }
            }
            changed += 1
        }
        for id in try keyIDs(of: userID, in: transaction) {
            guard changed < Self.batchSize else { return true }
            guard let digest = try Tables.apiKeysByID.get(id, in: transaction)?.key,
                var key = try Tables.apiKeys.get(digest, in: transaction), key.revokedAt == nil
            else { continue }
            key.revokedAt = now
            try Tables.apiKeys.put(key, for: digest, in: transaction)
            try scheduleSweep(.apiKey(id), at: key.freeAt, in: transaction)
            if key.expiresAt > now { report.apiKeys.append(id) }
            changed += 1
        }
        guard changed < Self.batchSize else { return true }
        report.links += try removeLinks(of: userID, limit: Self.batchSize - changed, at: now, in: transaction)
        let prefix = KeyPair<String, [UInt8]>.prefix(userID)
        guard try Tables.linksByUser.keys(prefix: prefix, limit: 1, in: transaction).isEmpty else { return true }
        try forgetDevices(of: userID, in: transaction)
        return false
    }

    private func cutRest(_ first: CutReport, at now: Timestamp) throws(AccountsError) -> CutReport {
        var report = first
        while true {
            let before = report
            let (next, more) = try write { transaction in
                var next = before
                let more = try self.cut(before.user.id, at: now, into: &next, in: transaction)
                return (next, more)
            }
            report = next
            if !more { return report }
        }
    }
}
