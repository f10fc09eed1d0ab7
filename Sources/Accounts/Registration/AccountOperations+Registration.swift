public import Core
internal import LMDB

extension AccountOperations {
    /// Shows that an address is the user's: of a registration, which makes its account, or of a change of address.
    ///
    /// - Parameters:
    ///   - password: of the account that a registration becomes, whoever registered with which; nil: the one that the
    ///     API was given, see ``register(_:password:name:returnTo:from:)``.
    ///   - name: likewise; nil: the one that was given.
    ///   - language: likewise, of the mails about the account until somebody signs in on a page.
    /// - Throws: `invalidToken`; `exists` when a changed address has become another account's since; `invalid` for the
    ///   password, with a ``PasswordProblem`` as cause, or for none where there must be one: the link stays good.
    @discardableResult
    public func verifyEmail(
        _ token: String, password: SecretBytes? = nil, name: String? = nil, language: MailLanguage? = nil,
        from client: Client
    ) async throws(AccountsError) -> User {
        let digest = try Self.digest(token)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client, as: .emailVerified, configuration.limits, at: now)
        if let registration = try registration(digest, at: now) {
            return try await accept(
                registration, digest, password: password, name: name, language: language, from: client, at: now)
        }
        return try await store.writing { transaction in
            var (link, user) = try store.usableLink(
                digest, for: [.verifyEmail, .changeEmail], at: now, in: transaction)
            try store.removeLink(link, digest: digest, in: transaction)
            if link.purpose == .changeEmail {
                try store.changeEmail(of: &user, to: link.email, client, at: now, in: transaction)
                return User(user)
            }
            try store.verify(user, link.email, at: now, in: transaction)
            return User(user)
        }
    }

    /// Changes what a person may change of themselves.
    ///
    /// - Throws: `invalid`, `rateLimited`.
    public func rename(
        _ principal: Principal, to name: String, from client: Client
    ) async throws(AccountsError) -> User {
        let name = try validatedLabel(name, what: "name", .nameMalformed)
        let now = now
        let store = store
        try takeChange(of: principal, as: .userUpdated, from: client, at: now)
        return try await store.writing { transaction in
            var (user, session) = try store.require(principal, at: now, in: transaction)
            guard user.name != name else { return User(user) }
            user.name = name
            try Tables.users.put(user, for: user.id, in: transaction)
            try store.append(
                NewAuditEvent(.userUpdated, user: user.username, userID: user.id, metadata: ["name": .string(name)]),
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
            return User(user)
        }
    }

    /// The account of whoever asks.
    public func user(_ principal: Principal) throws(AccountsError) -> User {
        let store = store
        let now = now
        return try store.read { transaction in
            User(try store.require(principal, at: now, in: transaction).user)
        }
    }
}
