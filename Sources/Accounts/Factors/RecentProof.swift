internal import Core
internal import LMDB

extension AccountOperations {
    /// What the asker has to prove once more before changing what protects the account.
    ///
    /// - Returns: `reauthenticationRequired`, or `twoFactorRequired`; nil: nothing.
    /// - Throws: `invalidToken` when the session is over.
    public func missingProof(of principal: Principal) throws(AccountsError) -> AccountsError? {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            return try store.missingProof(of: user, session, at: now, in: transaction)
        }
    }
}

extension Store {
    /// How long ago a person may have proved themselves who changes what protects the account.
    static let recentProof = Duration.seconds(600)

    /// The account and the session of a principal who is about to change something that protects the account: a
    /// session that somebody left open is not enough.
    ///
    /// - Throws: as ``require(_:at:in:)``; `reauthenticationRequired`; `twoFactorRequired` for a session that was begun
    ///   on a trusted device without the factor that the account has.
    func requireRecentProof(
        _ principal: Principal, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (user: UserRecord, session: SessionRecord) {
        let (user, session) = try require(principal, at: now, in: transaction)
        if let missing = try missingProof(of: user, session, at: now, in: transaction) { throw missing }
        return (user, session)
    }

    /// As ``requireRecentProof(_:at:in:)`` for what takes the password itself: only the second factor, where there is
    /// one, must have been proved lately.
    func requireRecentFactor(
        _ principal: Principal, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (user: UserRecord, session: SessionRecord) {
        let (user, session) = try require(principal, at: now, in: transaction)
        if let missing = try missingFactor(of: user, session, at: now, in: transaction) { throw missing }
        return (user, session)
    }

    fileprivate func missingProof(
        of user: UserRecord, _ session: SessionRecord, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> AccountsError? {
        guard Self.isRecent(session.authenticatedAt, at: now) else {
            return AccountsError(
                .reauthenticationRequired, "Prove once more that it is you: this was too long ago for such a change.")
        }
        return try missingFactor(of: user, session, at: now, in: transaction)
    }

    private func missingFactor(
        of user: UserRecord, _ session: SessionRecord, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> AccountsError? {
        guard try factorStanding(of: user.id, in: transaction).hasAny else { return nil }
        guard session.factors >= 2 else {
            return AccountsError(.twoFactorRequired, "This change needs your second factor first.")
        }
        // A password or a provider proves the first half anew, and not the second.
        guard Self.isRecent(session.secondFactorAt, at: now) else {
            return AccountsError(
                .reauthenticationRequired, "Give your second factor once more: this was too long ago for such a change."
            )
        }
        return nil
    }

    /// A clock that was set back makes no proof recent for longer.
    private static func isRecent(_ proved: Timestamp?, at now: Timestamp) -> Bool {
        guard let proved else { return false }
        return proved + recentProof > now && proved <= now + .seconds(60)
    }
}
