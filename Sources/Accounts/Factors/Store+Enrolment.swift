internal import Core
internal import LMDB

extension Store {
    /// Stores a set-up in place of one that was never proved.
    ///
    /// - Throws: `exists` when there is an authenticator that is in use.
    func begin(
        _ made: TOTPMaterials, of user: UserRecord, issuer: String, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> TOTPSetUp {
        guard try Tables.totp.get(user.id, in: transaction)?.isActive != true else {
            throw AccountsError(.exists, "There is an authenticator already: take it away first.")
        }
        var record = made.record
        record.sealed = try underCurrentKey(record.sealed, in: .totpSecret, key: user.id)
        try Tables.totp.put(record, for: user.id, in: transaction)
        try append(
            NewAuditEvent(
                .factorSetUp, user: user.username, userID: user.id, metadata: ["factor": .string("totp")]),
            by: actor, at: now, in: transaction)
        return TOTPSetUp(
            secret: made.secret,
            uri: TOTPSetUp.uri(secret: made.secret, issuer: issuer, account: user.username, made.record),
            backupCodes: made.codes)
    }

    /// - Throws: `refused` when nothing waits.
    func pendingSetUp(
        of user: UserRecord, by owner: String, issuer: String, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> TOTPSetUp {
        guard let record = try pendingTOTP(of: user.id, by: owner, at: now, in: transaction) else {
            throw AccountsError(
                .refused, "There is no authenticator to be confirmed: set one up first.", .authenticatorMissing)
        }
        let secret = try secret(of: record, user: user.id).withUnsafeBytes { Base32.encode($0) }
        return TOTPSetUp(
            secret: secret, uri: TOTPSetUp.uri(secret: secret, issuer: issuer, account: user.username, record),
            backupCodes: [])
    }

    /// What follows an authenticator's first code: backup codes where none were shown with it, the event and the mail.
    ///
    /// - Parameter codes: nil: nobody would see them.
    /// - Returns: the codes that are to be shown now.
    func enrolled(
        _ codes: BackupCodeSet?, of user: UserRecord, from client: Client, session: String?, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        let shown = try giveBackupCodes(codes, to: user, at: now, in: transaction)
        try noteEnrolled(user, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .factorAdded, user: user.username, userID: user.id, session: session,
                metadata: ["factor": .string("totp")]),
            by: client.actor(user.username, session: session), at: now, in: transaction)
        try mail(.factorAdded(.totp, client.occasion(at: now)), to: user, client, at: now, in: transaction)
        return shown
    }

    /// Gives backup codes to whoever has none, or none left.
    ///
    /// - Parameter codes: nil: nobody would see them.
    /// - Returns: the codes that are to be shown now.
    func giveBackupCodes(
        _ codes: BackupCodeSet?, to user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        guard let codes, try factorStanding(of: user.id, in: transaction).backupCodes == 0 else { return [] }
        try Tables.backupCodes.put(
            BackupCodesRecord(digests: codes.digests, createdAt: now), for: user.id, in: transaction)
        return codes.codes
    }

    /// What follows the removal of a factor. Devices that were trusted for it are so no more.
    func factorGone(
        _ factor: String, of user: UserRecord, from client: Client, session: String?, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        var standing = try factorStanding(of: user.id, in: transaction)
        standing.backupCodes = 0
        if !standing.hasAny { try Tables.backupCodes.delete(user.id, in: transaction) }
        try distrustDevices(of: user.id, in: transaction)
        try append(
            NewAuditEvent(
                .factorRemoved, user: user.username, userID: user.id, session: session,
                metadata: ["factor": .string(factor)]),
            by: client.actor(user.username, session: session), at: now, in: transaction)
        try mail(
            .factorRemoved(MailFactor(rawValue: factor) ?? .totp, client.occasion(at: now)), to: user, client, at: now,
            in: transaction)
    }

    /// The link that a reset has made is used up by the first new factor.
    func noteEnrolled(
        _ user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        try removeLinks(of: user.id, purposes: [.enrolFactor], at: now, in: transaction)
        guard var current = try Tables.users.get(user.id, in: transaction), current.enrolsByLink != nil else { return }
        current.enrolsByLink = nil
        try Tables.users.put(current, for: user.id, in: transaction)
    }

    /// Removes all that a user has enrolled, with the account or by the operator.
    func removeFactors(of userID: String, in transaction: borrowing WriteTransaction) throws {
        try Tables.totp.delete(userID, in: transaction)
        try Tables.backupCodes.delete(userID, in: transaction)
        try removePasskeys(of: userID, in: transaction)
        try Tables.lockouts.delete(LockoutSubject.factor(userID: userID).key, in: transaction)
        try Tables.lockouts.delete(LockoutSubject.wrongCodes(userID: userID).key, in: transaction)
        try Tables.meta.delete(MetaRecord.importedAuthenticator(of: userID), in: transaction)
    }
}
