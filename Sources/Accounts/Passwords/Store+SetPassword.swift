internal import Core
internal import LMDB

extension Store {
    /// Gives an account a new password: other sessions end, links and locks that belonged to the old one go, and the
    /// user is told.
    ///
    /// - Parameters:
    ///   - session: the one that goes on; nil: none does.
    ///   - device: the digest of the one device that stays known.
    /// - Returns: the ids of the sessions that ended.
    @discardableResult
    func setPassword(
        _ hash: String, of user: UserRecord, keeping session: String? = nil, device: [UInt8]? = nil,
        method: String, from client: Client, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        guard !user.service else {
            throw AccountsError(.refused, "\(user.username) is a service account, which has only API keys.")
        }
        try Tables.passwords.put(PasswordRecord(hash: hash, changedAt: now), for: user.id, in: transaction)
        let ended = try endSessions(of: user, except: session, at: now, in: transaction)
        try removeLinks(
            of: user.id, purposes: [.magicLink, .resetPassword, .invitation, .unlock, .changeEmail], at: now,
            in: transaction)
        // Beside a password that came by mail, a link that came by mail proves nothing more.
        if [LinkPurpose.resetPassword, .invitation].map(\.rawValue).contains(method) {
            try removeLinks(of: user.id, purposes: [.enrolFactor], at: now, in: transaction)
        }
        try forgetDevices(of: user.id, except: device, in: transaction)
        try Tables.lockouts.delete(LockoutSubject.user(user.id).key, in: transaction)
        try append(
            NewAuditEvent(
                .passwordChanged, user: user.username, userID: user.id,
                metadata: ["method": .string(method), "sessions_ended": .integer(Int64(ended.count))]),
            by: actor, at: now, in: transaction)
        try mail(.passwordChanged(client.occasion(at: now)), to: user, client, at: now, in: transaction)
        return ended
    }

    /// Sets a password that the operator has chosen (`user set-password`, `user add --password-stdin`).
    ///
    /// - Parameter hash: of ``PasswordHasher``, or one of another system that ``PasswordHash`` can parse.
    /// - Returns: the ids of the sessions that ended.
    /// - Throws: `notFound`, `refused` for a service account.
    @discardableResult
    public func setPassword(
        of selector: String, hash: String, by actor: AuditActor
    ) throws(AccountsError) -> [String] {
        let now = clock.now()
        return try write { transaction in
            let user = try self.require(user: selector, in: transaction)
            return try self.setPassword(
                hash, of: user, method: "operator", from: Client(), by: actor, at: now, in: transaction)
        }
    }
}
