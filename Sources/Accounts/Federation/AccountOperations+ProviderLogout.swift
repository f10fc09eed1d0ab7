internal import Core
internal import LMDB

extension AccountOperations {
    /// Counts a request to end sessions, before anything is done with it. A provider may end very many at once; what
    /// this keeps away is a flood.
    ///
    /// - Throws: `rateLimited`.
    public func admitProviderLogout(from client: Client) throws(AccountsError) {
        try limiter.take(.providerLogout, client: client, as: .providerLogout, configuration.limits, at: now)
    }

    /// Writes down that a logout token was refused: of one client, and of one provider, only so many.
    ///
    /// - Parameter refusal: a word for what was wrong.
    /// - Throws: `rateLimited` for a client that sends too many.
    public func noteRefusedLogout(
        _ refusal: String, provider: String, from client: Client
    ) async throws(AccountsError) {
        let now = now
        try limiter.take(.refusedLogout, client: client, as: .providerLogout, configuration.limits, at: now)
        // Whoever has many addresses does not fill the log either.
        do throws(AccountsError) {
            try limiter.take(.refusedLogout, of: provider, configuration.limits, at: now)
        } catch { return }
        let store = store
        let event = NewAuditEvent(
            .providerLogout, success: false, reason: "provider_refused",
            metadata: ["provider": .string(provider), "error": .string(refusal)])
        try await store.writing { transaction -> Void in
            try store.append(event, by: client.actor("anonymous"), at: now, in: transaction)
        }
    }

    /// Ends sessions that began by a provider, because the provider says that they are over.
    ///
    /// - Returns: how many ended; nil: the token was used before, and nothing was done.
    @discardableResult
    public func endSessions(_ logout: LogoutNotice, from client: Client) async throws(AccountsError) -> Int? {
        let now = now
        let store = store
        let actor = client.actor("provider:\(logout.provider)")
        return try await store.writing { transaction in
            guard try store.isFirst(logout, in: transaction) else { return nil }
            let ended = try store.end(logout, by: actor, at: now, in: transaction)
            try store.append(
                NewAuditEvent(
                    .providerLogout,
                    metadata: [
                        "provider": .string(logout.provider), "issuer": .string(logout.issuer),
                        "sessions_ended": .integer(Int64(ended)),
                    ].merging(logout.subject.map { ["subject": .string($0)] } ?? [:]) { own, _ in own }),
                by: actor, at: now, in: transaction)
            return ended
        }
    }

    /// The provider has proved who somebody is and does not let them in any more: the groups that it gave them are gone,
    /// and so are the sessions that began there. The link stays; the account may have other ways in.
    public func endRefused(
        at provider: String, issuer: String, subject: String, from client: Client
    ) async throws(AccountsError) {
        let now = now
        let store = store
        let actor = client.actor("provider:\(provider)")
        try await store.writing { transaction in
            try store.cutOff(
                identity: BlockSubject.subject(issuer: issuer, subject: subject).key, provider: provider, by: actor,
                at: now, in: transaction)
        }
    }

    /// The provider by which the session of whoever asks began; nil: by none.
    public func provider(of principal: Principal) throws(AccountsError) -> String? {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            guard let federated = session.federated else { return nil }
            return try store.socialAccounts(of: user.id, in: transaction).first { $0.id == federated.link }?.provider
        }
    }
}
