internal import Core
internal import LMDB

extension AccountOperations {
    /// The keys of whoever asks, newest first; those that ended long ago are gone.
    public func apiKeys(of principal: Principal) throws(AccountsError) -> [APIKey] {
        _ = try user(principal)
        return try store.apiKeys(user: principal.userID)
    }

    /// A part of the keys of whoever asks that can be used. One that is over by now is still a place to go on from.
    ///
    /// - Throws: `invalid` for a `before` that is none of the asker's.
    public func goodAPIKeys(
        of principal: Principal, limit: Int, before: String? = nil
    ) throws(AccountsError) -> ListPage<APIKey> {
        let now = now
        return try ListPage(of: try apiKeys(of: principal), limit: limit, before: before, id: \.id) {
            $0.revokedAt == nil && $0.expiresAt > now ? $0 : nil
        }
    }

    /// What a key may be good for in days, for a form: a few that fit, and the one where nothing is said.
    public var keyLifetimes: (choices: [Int64], usual: Int64) {
        func days(_ duration: Duration) -> Int64 { max(1, duration.components.seconds / 86_400) }
        let longest = days(configuration.keys.maximumLifetime)
        let usual = min(longest, days(configuration.keys.defaultLifetime))
        return (Set([7, 30, 90, 365, usual]).filter { $0 <= longest }.sorted(), usual)
    }

    /// What bounds a new key, as the description of the API has it: the most days that it may live, and whether it must
    /// be bound to routes.
    public var keyRules: (longestDays: Int64, requiresRoutes: Bool) {
        (configuration.keys.maximumLifetime.components.seconds / 86_400, configuration.keys.requireRoutes)
    }

    /// Makes a key for whoever asks, within what the operator allows: scopes out of `api_keys.scopes`, routes that
    /// exist.
    ///
    /// - Parameter new: its `user` is of no account.
    /// - Throws: `invalid`, `invalidToken`, `reauthenticationRequired`; `refused` to who has too many, `rateLimited` to
    ///   who makes too many.
    public func createAPIKey(
        _ new: NewAPIKey, of principal: Principal, from client: Client
    ) async throws(AccountsError) -> IssuedAPIKey {
        var new = new
        new.user = principal.userID
        let allowed = Set(configuration.keyScopes)
        for scope in new.scopes ?? [] where !allowed.contains(scope) {
            throw AccountsError(.invalid, "\(quoted(scope)) is no scope that a key can be given here.")
        }
        if let names = configuration.routeNames {
            for route in new.routes ?? [] where !names.contains(route) {
                throw AccountsError(.invalid, "There is no route \(quoted(route)).", .routeUnknown)
            }
        }
        let (text, job) = try store.creation(of: new, policy: configuration.keys, by: try actor(principal, client))
        let creation = try bounded(job, for: principal, as: .apiKeyCreated, client)
        let key = try await perform(creation, for: principal, isSensitive: true)
        return IssuedAPIKey(key: key, secret: text)
    }

    /// Ends a key of whoever asks.
    ///
    /// - Returns: false for one that was ended before.
    /// - Throws: `notFound`, also for somebody else's.
    @discardableResult
    public func revokeAPIKey(
        _ id: String, of principal: Principal, from client: Client
    ) async throws(AccountsError) -> Bool {
        let actor = try actor(principal, client)
        let known = try requireOwn(id, principal)
        _ = try await perform(store.revocation(of: id, by: actor), for: principal)
        return known.revokedAt == nil
    }

    /// Makes a key like one of whoever asks, which itself ends when `overlap` is over.
    ///
    /// - Throws: `notFound`, also for somebody else's; `refused` when it is over or was rotated already; as
    ///   ``createAPIKey(_:of:from:)`` for too many.
    public func rotateAPIKey(
        _ id: String, overlap: Duration = .seconds(7 * 86_400), of principal: Principal, from client: Client
    ) async throws(AccountsError) -> IssuedAPIKey {
        let actor = try actor(principal, client)
        _ = try requireOwn(id, principal)
        let (text, job) = try store.rotation(of: id, overlap: overlap, policy: configuration.keys, by: actor)
        let rotation = try bounded(job, for: principal, as: .apiKeyRotated, client)
        let key = try await perform(rotation, for: principal, isSensitive: true)
        return IssuedAPIKey(key: key, secret: text)
    }

    /// A job that makes a key, where there may be one more.
    private func bounded(
        _ job: @escaping KeyJob, for principal: Principal, as event: AuditEventType, _ client: Client
    ) throws(AccountsError) -> KeyJob {
        let now = now
        let store = store
        let maximum = configuration.keys.maximumCount
        try limiter.take(
            .keys, of: principal.userID, by: principal.userID, as: event, from: client, configuration.limits, at: now)
        return { transaction in
            guard try store.goodKeys(of: principal.userID, at: now, in: transaction) < maximum else {
                throw AccountsError(
                    .refused, "You have \(maximum) keys, which is the most: revoke one first.", .tooManyKeys)
            }
            return try job(transaction)
        }
    }

    /// - Parameter isSensitive: a new secret comes of it, so a recent proof is needed.
    private func perform(
        _ job: @escaping KeyJob, for principal: Principal, isSensitive: Bool = false
    ) async throws(AccountsError) -> APIKey {
        let store = store
        let now = now
        return try await store.writing { transaction in
            if isSensitive {
                _ = try store.requireRecentProof(principal, at: now, in: transaction)
            } else {
                _ = try store.require(principal, at: now, in: transaction)
            }
            return try job(transaction)
        }
    }

    private func actor(_ principal: Principal, _ client: Client) throws(AccountsError) -> AuditActor {
        client.actor(try user(principal).username, session: principal.session)
    }

    /// A key never changes hands, so to look before the transaction is enough.
    private func requireOwn(_ id: String, _ principal: Principal) throws(AccountsError) -> APIKey {
        let store = store
        let found = try store.read { transaction -> APIKey? in
            guard let (record, _) = try store.findKey(id, in: transaction), record.userID == principal.userID else {
                return nil
            }
            return try store.view(of: record, in: transaction)
        }
        guard let found else { throw AccountsError(.notFound, "There is no such key of yours.") }
        return found
    }
}
