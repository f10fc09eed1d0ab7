internal import Core
internal import LMDB

extension AccountOperations {
    /// What is linked with the account of whoever asks, newest first.
    public func socialAccounts(of principal: Principal) throws(AccountsError) -> [SocialAccount] {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            return try store.socialAccounts(of: user.id, in: transaction).reversed().map(SocialAccount.init)
        }
    }

    /// Links an identity with the account of whoever asks, who has just proved both.
    ///
    /// - Throws: `reauthenticationRequired`; `exists` when it is linked with another account; `userDisabled` when it
    ///   is blocked; `invalidToken` when the provider has ended it in the meantime.
    public func link(
        _ identity: FederatedIdentity, _ terms: FederationTerms, to principal: Principal, from client: Client
    ) async throws(AccountsError) {
        let now = now
        let store = store
        let id = try store.random.id("soc")
        let outcome = try await store.writing { transaction -> Result<Void, AccountsError> in
            var (user, session) = try store.requireRecentProof(principal, at: now, in: transaction)
            let actor = client.actor(user.username, session: session.id)
            let known = try Tables.socialAccounts.get(identity.key, in: transaction)
            if let refusal = try store.refusalToLink(identity, known, to: user, at: now, in: transaction) {
                try store.append(
                    NewAuditEvent(
                        .socialAccountLinked, success: false, reason: refusal.reason, user: user.username,
                        userID: user.id, metadata: identity.metadata),
                    by: actor, at: now, in: transaction)
                return .failure(refusal.error)
            }
            if known != nil { return .success(()) }
            let link = try store.link(
                identity, to: &user, id: id, how: .owner, by: actor, from: client, at: now, in: transaction)
            try store.noteGroups(identity, terms, of: link, for: &user, in: transaction)
            try Tables.users.put(user, for: user.id, in: transaction)
            return .success(())
        }
        try outcome.get()
    }

    /// Removes a link; sessions that began by it end.
    ///
    /// - Throws: `notFound`, also for somebody else's; `reauthenticationRequired`; `refused` for the last way to sign
    ///   in.
    public func unlink(_ id: String, of principal: Principal, from client: Client) async throws(AccountsError) {
        let now = now
        let store = store
        let configuration = configuration
        try await store.writing { transaction in
            var (user, session) = try store.requireRecentProof(principal, at: now, in: transaction)
            let links = try store.socialAccounts(of: user.id, in: transaction)
            guard let link = links.first(where: { $0.id == id }) else {
                throw AccountsError(.notFound, "There is no such link of yours.")
            }
            guard
                try store.waysToSignIn(of: user, configuration, besides: link.id, in: transaction) > 0
            else {
                throw AccountsError(
                    .refused, "This is the last way to sign in to your account: set a password or link another first.",
                    .lastWay)
            }
            try store.unlink(link, from: &user, in: transaction)
            try Tables.users.put(user, for: user.id, in: transaction)
            if session.federated?.link == link.id {
                try Tables.providerTokens.delete(session.id, in: transaction)
            }
            let ended = try store.endSessions(
                of: user, by: { $0.link == link.id }, except: session.id, at: now, in: transaction)
            try store.append(
                NewAuditEvent(
                    .socialAccountUnlinked, user: user.username, userID: user.id,
                    metadata: [
                        "provider": .string(link.provider), "issuer": .string(link.issuer),
                        "subject": .string(link.subject), "sessions_ended": .integer(Int64(ended.count)),
                    ]),
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
            try store.mail(
                .socialAccountUnlinked(provider: link.provider, client.occasion(at: now)), to: user, client, at: now,
                in: transaction)
        }
    }
}

extension Store {
    /// - Parameter known: the link that there is of the identity.
    fileprivate func refusalToLink(
        _ identity: FederatedIdentity, _ known: SocialAccountRecord?, to user: UserRecord, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> (reason: String, error: AccountsError)? {
        if try isBlocked(identity, in: transaction) {
            return ("user_disabled", AccountsError(.userDisabled, "This identity is blocked."))
        }
        if let known, known.userID != user.id {
            return ("account_exists", AccountsError(.exists, "This identity is linked with another account."))
        }
        if try hasEnded(identity, known, at: now, in: transaction) {
            return (FederationRefusal.sessionEnded.reason, FederationRefusal.sessionEnded.error)
        }
        return nil
    }

    /// In how many ways a person can sign in to their account without anybody's help.
    ///
    /// - Parameters:
    ///   - link: one that does not count.
    ///   - removed: so many passkeys that do not count.
    func waysToSignIn(
        of user: UserRecord, _ configuration: AccountOperations.Configuration, besides link: String? = nil,
        withoutPasskeys removed: Int = 0, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Int {
        var ways = 0
        if configuration.passwordIsEnabled, try Tables.passwords.get(user.id, in: transaction) != nil { ways += 1 }
        if configuration.magicLinkIsEnabled, mailIsOn { ways += 1 }
        if configuration.passkeys.isEnabled { ways += try passkeys(of: user.id, in: transaction).count - removed }
        ways += try socialAccounts(of: user.id, in: transaction)
            .count { $0.id != link && configuration.providerIssuers.contains($0.issuer) }
        return ways
    }

    /// Ends the sessions of a user that began by a provider.
    ///
    /// - Returns: their ids.
    func endSessions(
        of user: UserRecord, by isMeant: (FederatedSession) -> Bool, except kept: String? = nil, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        var ended: [String] = []
        for id in try sessionIDs(of: user.id, in: transaction) where id != kept {
            guard var session = try Tables.sessions.get(id, in: transaction), session.revokedAt == nil,
                let federated = session.federated, isMeant(federated)
            else { continue }
            try end(&session, at: now, in: transaction)
            if session.expiresAt > now { ended.append(id) }
        }
        return ended
    }
}
