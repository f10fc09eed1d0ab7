public import Core
internal import LMDB

extension Store {
    /// Keeps what a provider has given for a session, in place of what it gave before. What is too long is not kept,
    /// and the audit log says so. A new grant without a refresh token leaves the old one of the same person good: not every
    /// provider gives one at each proof.
    func keep(
        _ held: HeldTokens, for session: SessionRecord, of user: UserRecord, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let refresh = try held.tokens.refresh ?? refreshToken(like: held, of: session.id, in: transaction)
        let size = held.tokens.access.count + (refresh?.count ?? 0)
        guard size <= ProviderTokensRecord.maximumBytes else {
            try Tables.providerTokens.delete(session.id, in: transaction)
            return try noteDropped(
                session.id, provider: held.provider, user: user, why: "too_large",
                ["bytes": .integer(Int64(size))], by: actor, at: now, in: transaction)
        }
        let content = ProviderTokensRecord.Content(
            access: held.tokens.access.text, refresh: refresh?.text)
        let sealed = try masterKeys().seal(
            try JSON.encode(content), in: .providerTokens, key: session.id)
        let record = ProviderTokensRecord(
            userID: user.id, provider: held.provider, issuer: held.issuer, subject: held.subject,
            client: held.tokens.client, sealed: Base64.encode(sealed), obtainedAt: now,
            expiresAt: held.tokens.expiresAt,
            isRefreshable: refresh != nil)
        try Tables.providerTokens.put(record, for: session.id, in: transaction)
    }

    private func refreshToken(
        like held: HeldTokens, of session: String, in transaction: borrowing WriteTransaction
    ) throws -> SecretBytes? {
        guard let old = try Tables.providerTokens.get(session, in: transaction), old.isRefreshable,
            old.isSameGrantor(as: held)
        else { return nil }
        // One that cannot be read is lost anyway, and a proof is not to fail by it.
        return (try? open(old, session: session))?.refresh
    }

    /// What is kept for a session, opened.
    ///
    /// - Throws: `wrongMasterKey`, `damaged`, `noMasterKey`.
    func open(
        _ record: ProviderTokensRecord, session: String
    ) throws -> (access: SecretBytes, refresh: SecretBytes?) {
        guard let sealed = Base64.decode(record.sealed) else {
            throw AccountsError(.damaged, "The provider's tokens of session \(session) cannot be read.")
        }
        let plain = try masterKeys().open(sealed, in: .providerTokens, key: session)
        let content = try plain.withUnsafeBytes { try JSON.decode(ProviderTokensRecord.Content.self, from: $0) }
        return (
            SecretBytes(copying: content.access.utf8), content.refresh.map { SecretBytes(copying: $0.utf8) }
        )
    }

    /// Writes down that a session has no tokens of its provider any more.
    func noteDropped(
        _ session: String, provider: String, user: UserRecord?, why: String, _ more: [String: AuditValue] = [:],
        by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        try append(
            NewAuditEvent(
                .providerTokensDropped, success: false, reason: why, user: user?.username, userID: user?.id,
                session: session, metadata: ["provider": .string(provider)].merging(more) { $1 }),
            by: actor, at: now, in: transaction)
    }

    /// Removes the tokens that nobody may be given any more: of sessions that are over, were not used for too long, or
    /// whose person is shut out, and of providers whose tokens no route forwards now. Nothing is decided by it.
    ///
    /// - Parameter wanted: whose tokens routes forward.
    /// - Returns: how many were removed.
    @discardableResult
    public func dropProviderTokens(besides wanted: Set<TokenProvider>) throws(AccountsError) -> Int {
        let now = clock.now()
        var dropped = 0
        var last: String?
        while true {
            let from = last
            let sessions = try read { transaction in
                // The first is the last of the batch before.
                try Tables.providerTokens.keys(from: from, limit: Self.batchSize, in: transaction).filter { $0 != from }
            }
            guard let end = sessions.last else { return dropped }
            last = end
            let stale = try read { transaction in
                try sessions.filter { try !self.mayHaveTokens($0, besides: wanted, at: now, in: transaction) }
            }
            guard !stale.isEmpty else { continue }
            dropped += try write { transaction in
                var count = 0
                // Looked at once more: it may have been signed in to by that provider in the meantime.
                for id in stale where try !self.mayHaveTokens(id, besides: wanted, at: now, in: transaction) {
                    if try Tables.providerTokens.delete(id, in: transaction) { count += 1 }
                }
                return count
            }
        }
    }

    private func mayHaveTokens(
        _ id: String, besides wanted: Set<TokenProvider>, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        guard let record = try Tables.providerTokens.get(id, in: transaction),
            wanted.contains(record.by),
            record.isRefreshable || record.schedule.state(at: now) != .over,
            let session = try Tables.sessions.get(id, in: transaction),
            let user = try Tables.users.get(record.userID, in: transaction), session.isAlive(for: user, at: now)
        else { return false }
        return try isInUse(session, at: now, in: transaction) && !isShutOut(user, in: transaction)
    }
}

extension SecretBytes {
    /// For what is sealed right behind it.
    fileprivate var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
