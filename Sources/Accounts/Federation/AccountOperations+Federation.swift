internal import Core
internal import LMDB

extension AccountOperations {
    /// Counts a sign-in at a provider that begins, before anything is kept for it.
    ///
    /// - Throws: `rateLimited`.
    public func admitFederatedFlow(from client: Client) throws(AccountsError) {
        try limiter.take(.flows, client: client, method: "oauth", configuration.limits, at: now)
    }

    /// Counts an answer that came back from a provider, before anything is done with it.
    ///
    /// - Throws: `rateLimited`.
    public func admitFederatedAnswer(from client: Client) throws(AccountsError) {
        try limiter.take(.signIn, client: client, method: "oauth", configuration.limits, at: now)
    }

    /// Writes down that a provider's answer led to nobody.
    ///
    /// - Parameters:
    ///   - provider: its id; nil: not known.
    ///   - failure: a word for what was wrong.
    public func noteFederatedFailure(
        _ failure: String, provider: String?, from client: Client
    ) async throws(AccountsError) {
        let now = now
        let store = store
        var metadata: [String: AuditValue] = ["method": .string("oauth"), "error": .string(failure)]
        if let provider { metadata["provider"] = .string(provider) }
        let event = NewAuditEvent(.signIn, success: false, reason: "provider_refused", metadata: metadata)
        try await store.writing { transaction -> Void in
            try store.append(event, by: client.actor("anonymous"), at: now, in: transaction)
        }
    }

    /// Signs in whom a provider has brought: to the account that is linked, or to one that may be linked or made. A
    /// provider that knows the browser asks nobody anything, so that the session is as recently proved as the provider
    /// says, and for one that does not say it not at all: a rule with `max_age`, and whatever protects the account, want
    /// a proof anew.
    ///
    /// - Parameter code: of a second factor, where an API client has one at hand.
    /// - Throws: `userDisabled` for a disabled or blocked account, address or identity; `emailNotVerified`; `exists`
    ///   for an account that must be proved first; `refused` where there is none and none is made; `twoFactorRequired`.
    public func signIn(
        by identity: FederatedIdentity, _ terms: FederationTerms, code: String? = nil, passkey: PasskeyProof? = nil,
        as face: SignInFace, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        let kept = try KeptClient(client)
        let now = now
        let store = store
        let signIn = FederatedSignIn(
            identity: identity, terms: terms, linkID: try store.random.id("soc"), userID: try store.random.id("usr"),
            actor: client.actor(identity.email?.description ?? "anonymous"), client: client)
        var complete = CompleteSignIn(
            proof: .provider, face: face, client: client, kept: kept, materials: try SignInMaterials(store.random),
            configuration: configuration, method: "oauth:\(identity.provider)", basis: .provider, code: code,
            passkey: try presented(passkey, besides: code, at: now), provedAt: .earlier(identity.authenticatedAt))
        let known = try store.read { transaction in try store.userID(of: identity, in: transaction) }
        try sign(&complete, for: known ?? signIn.userID, at: now)
        let signed = complete
        let expected = known ?? signIn.userID
        return try await store.writing { transaction -> SignInOutcome in
            switch try store.account(for: signIn, at: now, in: transaction) {
            case .success((let user, let link)):
                // An access token was signed for whoever it was a moment ago.
                guard face != .api || user.id == expected else {
                    throw AccountsError(.refused, "The account has changed in the meantime: try again.")
                }
                var signed = signed
                signed.federated = FederatedSession(
                    link: link.id, issuer: identity.issuer, sessionID: identity.sessionID)
                signed.tokens = HeldTokens(identity)
                return try store.complete(signed, of: user, at: now, in: transaction)
            case .failure(let refusal):
                try store.append(
                    NewAuditEvent(
                        .signIn, success: false, reason: refusal.reason, user: refusal.user?.name,
                        userID: refusal.user?.id, metadata: identity.metadata),
                    by: client.actor("anonymous"), at: now, in: transaction)
                return .refused(refusal.error)
            }
        }.get()
    }

    /// Proves once more who is there, by a provider that is linked with the account.
    ///
    /// - Parameter identity: proved anew at the provider; the caller has seen to it. The session is as recently proved as
    ///   the provider says.
    /// - Returns: the new cookies; nil for an API client.
    /// - Throws: `refused` for an identity that is not linked with this account, and for a provider that does not say
    ///   when it has asked the person; `invalidToken` when the provider has ended it in the meantime.
    public func reauthenticate(
        _ principal: Principal, by identity: FederatedIdentity, from client: Client
    ) async throws(AccountsError) -> SessionSecrets? {
        let now = now
        let store = store
        let secrets = try NewSessionSecrets(store.random)
        let outcome = try await store.writing { transaction -> Result<SessionSecrets?, AccountsError> in
            var (user, session) = try store.require(principal, at: now, in: transaction)
            let link = try Tables.socialAccounts.get(identity.key, in: transaction)
            let isOwn = try link?.userID == user.id && !store.isBlocked(identity, in: transaction)
            let hasEnded = try store.hasEnded(identity, link, at: now, in: transaction)
            let saysWhen = identity.authenticatedAt != nil
            let reason: String? =
                switch (isOwn, hasEnded, saysWhen) {
                case (false, _, _): "not_linked"
                case (true, true, _): FederationRefusal.sessionEnded.reason
                case (true, false, false): "proof_without_time"
                case (true, false, true): nil
                }
            var event = NewAuditEvent(
                .reauthenticated, success: reason == nil, reason: reason, user: user.username, userID: user.id,
                session: session.id, metadata: identity.metadata)
            event.metadata["method"] = .string("oauth:\(identity.provider)")
            try store.append(
                event, by: client.actor(user.username, session: session.id), at: now, in: transaction)
            if isOwn, hasEnded { return .failure(FederationRefusal.sessionEnded.error) }
            guard isOwn, let provedAt = identity.authenticatedAt else {
                return .failure(AccountsError(.refused, "This identity is not linked with your account."))
            }
            session.authenticatedAt = min(provedAt, now)
            if let link, session.federated?.link == link.id, let held = HeldTokens(identity) {
                let actor = client.actor(user.username, session: session.id)
                try store.keep(held, for: session, of: user, by: actor, at: now, in: transaction)
            }
            return .success(try store.raise(&session, secrets, at: now, in: transaction))
        }
        return try outcome.get()
    }
}

extension Proof {
    /// Somebody else has asked for it; how, is theirs.
    static let provider = Proof(amr: ["federated"], factors: 1)
}

extension Store {
    /// The account that an identity would sign in to, if there is one already.
    fileprivate func userID(
        of identity: FederatedIdentity, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> String? {
        if let link = try Tables.socialAccounts.get(identity.key, in: transaction) { return link.userID }
        guard let email = identity.email else { return nil }
        return try findUser(email: email, in: transaction)?.id
    }
}
