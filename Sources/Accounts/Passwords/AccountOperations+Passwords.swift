public import Core
internal import Cryptography
internal import LMDB

extension AccountOperations {
    /// Changes the password of a signed-in person. All other sessions end; this one gets new secrets. The current
    /// password is the proof of the first half; who has a second factor has proved it lately, or somebody who knows no
    /// more than the password would end the sessions of who has both.
    ///
    /// - Returns: the new cookies; nil for an API client.
    /// - Throws: as a sign-in for the current password; `twoFactorRequired`, `reauthenticationRequired`; `invalid` for
    ///   the new one, with a ``PasswordProblem`` as cause.
    public func changePassword(
        of principal: Principal, current: SecretBytes, to new: SecretBytes, from client: Client
    ) async throws(AccountsError) -> SessionSecrets? {
        let now = now
        let store = store
        let unlock = try SecretText(store.random)
        let secrets = try NewSessionSecrets(store.random)
        // Before anything else: the new one may be asked about elsewhere.
        try admitPassword(of: principal, as: .passwordChanged, from: client, at: now)
        let person = try store.read { transaction in
            try store.requireRecentFactor(principal, at: now, in: transaction).user.person
        }
        // Before the current one is looked at: what is wrong with the new one must not tell whether that was right.
        try await requireAcceptable(new, for: person)
        let (attempt, gate, verdict) = try await check(
            current, of: principal, event: .passwordChanged, from: client, at: now)
        var hash = ""
        if case .right = verdict { hash = try await hashAccepted(new, from: client) }
        let newHash = hash
        let outcome = try await store.writing { transaction -> Result<SessionSecrets?, AccountsError> in
            var (_, session) = try store.requireRecentFactor(principal, at: now, in: transaction)
            let judged = try gate.judge(
                attempt, verdict, event: .passwordChanged, unlock: unlock, at: now, in: transaction)
            guard case .right(let user) = judged, !newHash.isEmpty else { return .failure(judged.refusal) }
            let device = try store.knownDevice(client.deviceToken, of: user.id, at: now, in: transaction)
            try store.setPassword(
                newHash, of: user, keeping: session.id, device: device, method: "change", from: client,
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
            session.authenticatedAt = now
            return .success(try store.raise(&session, secrets, at: now, in: transaction))
        }
        return try outcome.get()
    }

    /// Whether whoever asks has a password: nobody is asked for one that there is not.
    public func hasPassword(_ principal: Principal) throws(AccountsError) -> Bool {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            return try Tables.passwords.get(user.id, in: transaction) != nil
        }
    }

    /// Mails a link to set a new password. The answer, the work and the number of mails are the same for an address
    /// that nobody has.
    ///
    /// - Throws: `invalid` for what is no address, `rateLimited`, `refused` where there are no passwords.
    public func forgotPassword(_ email: String, from client: Client) async throws(AccountsError) {
        try requirePasswords()
        try await sendLink(
            LinkRequest(
                purpose: .resetPassword, event: .passwordResetRequested, lifetime: Self.resetLifetime, browser: nil),
            to: try Self.email(email), from: client)
    }

    /// Sets the password by a link that was mailed, for a reset or an invitation. Every session ends.
    ///
    /// - Throws: `invalidToken`; `invalid` for the password, with a ``PasswordProblem`` as cause: the link stays good.
    public func resetPassword(
        _ token: String, to password: SecretBytes, from client: Client
    ) async throws(AccountsError) {
        try requirePasswords()
        let digest = try Self.digest(token)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client, as: .passwordChanged, configuration.limits, at: now)
        let purposes: Set<LinkPurpose> = [.resetPassword, .invitation]
        let person = try store.read { transaction in
            try store.usableLink(digest, for: purposes, at: now, in: transaction).user.person
        }
        let hash = try await self.hash(password, for: person, from: client)
        try await store.writing { transaction in
            let (link, user) = try store.usableLink(digest, for: purposes, at: now, in: transaction)
            try store.removeLink(link, digest: digest, in: transaction)
            // Whoever has the link reads the mailbox.
            try store.verify(user, link.email, at: now, in: transaction)
            try store.setPassword(
                hash, of: user, method: link.purpose.rawValue, from: client, by: client.actor(user.username), at: now,
                in: transaction)
        }
    }

    /// Whether a link can still be used, for the page that it leads to. Changes nothing.
    ///
    /// - Throws: `invalidToken`.
    public func look(at token: String, for purposes: Set<LinkPurpose>) throws(AccountsError) -> LinkPurpose {
        let digest = try Self.digest(token)
        let store = store
        let now = now
        return try store.read { transaction in
            try store.usableLink(digest, for: purposes, at: now, in: transaction).link.purpose
        }
    }
}
