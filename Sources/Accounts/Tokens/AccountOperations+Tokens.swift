internal import Core
internal import Cryptography
internal import LMDB

extension AccountOperations {
    /// Exchanges a refresh token for new tokens. A token that comes a second time ends the whole session, since
    /// nobody knows which of the two who hold it is the thief; also when both come at the same instant.
    ///
    /// - Throws: `invalidToken`; `rateLimited` for a session that does nothing else, and for a client that brings many
    ///   tokens that are none: the token stays good.
    public func refresh(_ token: String, from client: Client) async throws(AccountsError) -> IssuedTokens {
        let now = now
        let store = store
        let required = configuration.secondFactorIsRequired
        guard let digest = SecretText.digest(presented: token),
            let found = try store.read({ try store.refreshable(digest, required: required, at: now, in: $0) })
        else {
            try limiter.take(.signIn, client: client, configuration.limits, at: now)
            throw Self.invalidRefreshToken
        }
        // A token that was used already ends its session, however many there were.
        if found.token.usedAt == nil {
            try limiter.take(
                .refresh, of: found.session.id, by: found.user.id, as: .tokenIssued, from: client,
                configuration.limits, at: now)
        }
        let next = try SecretText(store.random)
        let access = try store.signAccessToken(
            found.user.id, session: found.session.id,
            proof: Proof(amr: found.session.amr, factors: found.session.factors),
            authenticatedAt: found.session.authenticatedAt, from: now, until: now + configuration.tokens.accessLifetime)
        let policy = configuration.tokens
        let tokens = try await store.writing { transaction -> IssuedTokens? in
            guard
                let (record, session, user) = try store.refreshable(
                    digest, required: required, at: now, in: transaction)
            else {
                return nil
            }
            guard record.usedAt == nil else {
                try store.endFamily(session, of: user, by: client, at: now, in: transaction)
                return nil
            }
            let tokens = try store.exchange(
                (digest, record), for: next, access, in: session, policy, at: now, in: transaction)
            try store.noteUse(of: session, from: client, at: now, in: transaction)
            return tokens
        }
        guard let tokens else { throw Self.invalidRefreshToken }
        return tokens
    }

    private static let invalidRefreshToken = AccountsError(
        .invalidToken, "The refresh token is not, or not any more, good: sign in again.")
}

extension Store {
    /// A refresh token of a session that goes on, used or not. A session that has not proved what the operator or the
    /// account wants by now does not go on: its tokens would outlive that for ever.
    ///
    /// - Parameter required: the operator wants a second factor.
    func refreshable(
        _ digest: [UInt8], required: Bool, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (token: RefreshTokenRecord, session: SessionRecord, user: UserRecord)? {
        guard let record = try Tables.refreshTokens.get(digest, in: transaction), record.expiresAt > now,
            let session = try Tables.sessions.get(record.session, in: transaction), session.kind == .api,
            let user = try Tables.users.get(session.userID, in: transaction), session.isAlive(for: user, at: now),
            try !isShutOut(user, in: transaction),
            try session.factors >= 2 || !required && !factorStanding(of: user.id, in: transaction).hasAny
        else { return nil }
        return (record, session, user)
    }

    func exchange(
        _ old: (digest: [UInt8], record: RefreshTokenRecord), for next: SecretText, _ access: SignedAccessToken,
        in session: SessionRecord, _ policy: TokenPolicy, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> IssuedTokens {
        var session = session
        var used = old.record
        used.usedAt = now
        try Tables.refreshTokens.put(used, for: old.digest, in: transaction)
        session.expiresAt = max(session.expiresAt, now + policy.refreshLifetime)
        try Tables.sessions.put(session, for: session.id, in: transaction)
        try insert(next, for: session, at: now, in: transaction)
        try keep(access, in: transaction)
        return IssuedTokens(
            accessToken: access.text, expiresIn: access.expiresIn, refreshToken: next.text, session: session.id)
    }

    /// Whoever comes for another token uses the session, whether the tokens are seen here or not.
    fileprivate func noteUse(
        of session: SessionRecord, from client: Client, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let known = try Tables.lastUses.get(session.id, in: transaction)
        try Tables.lastUses.put(
            LastUseRecord(at: now, address: client.address?.description ?? known?.address), for: session.id,
            in: transaction)
    }

    func endFamily(
        _ session: SessionRecord, of user: UserRecord, by client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        var session = session
        try end(&session, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .refreshTokenReused, success: false, reason: "invalid_token", user: user.username, userID: user.id,
                session: session.id),
            by: client.actor("anonymous"), at: now, in: transaction)
    }
}
