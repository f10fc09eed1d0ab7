public import Core
internal import LMDB

extension AccountOperations {
    /// Registers an address with a password and mails a link to verify it. An address that has an account gets a mail
    /// that says so; the answer, the hash run, the transaction and the number of mails are the same.
    ///
    /// The password and the name go with the link, not with the address: who follows a mail gets what was asked for
    /// with that mail, so nobody can prepare an account for somebody else and wait.
    ///
    /// - Throws: `refused` when registration is closed; `invalid`, `rateLimited`.
    public func register(
        _ email: String, password: SecretBytes, name: String = "", from client: Client
    ) async throws(AccountsError) {
        guard configuration.registration != .closed, configuration.passwordIsEnabled else {
            throw AccountsError(.refused, "Nobody can register here: ask whoever runs this site for an account.")
        }
        let email = try Self.email(email)
        let name = try validatedLabel(name, what: "name")
        let now = now
        let store = store
        try limiter.take(.mail, client: client.address, configuration.limits, at: now)
        try limiter.take(.mail, mailbox: email.canonical, configuration.limits, at: now)
        let hash = try await self.hash(
            password, for: PasswordPolicy.Person(email: email.description, username: email.description, name: name))
        let registration = Registration(
            email: email, name: name, hash: hash, token: try SecretText(store.random),
            userID: try store.random.id("usr"),
            client: client, isInvitedOnly: configuration.registration == .invited)
        try await store.writing { transaction in
            try store.register(registration, at: now, in: transaction)
        }
    }

    /// Mails the link of a registration once more; the answer is the same for every address.
    ///
    /// - Throws: `invalid`, `rateLimited`.
    public func resendVerification(_ email: String, from client: Client) async throws(AccountsError) {
        let email = try Self.email(email)
        let now = now
        let store = store
        try limiter.take(.mail, client: client.address, configuration.limits, at: now)
        try limiter.take(.mail, mailbox: email.canonical, configuration.limits, at: now)
        let token = try SecretText(store.random)
        try await store.writing { transaction in
            try store.resendVerification(to: email, token, client, at: now, in: transaction)
        }
    }

    /// Shows that an address is the user's: of a registration, or of a change of address.
    ///
    /// - Throws: `invalidToken`; `exists` when a changed address has become another account's since.
    @discardableResult
    public func verifyEmail(_ token: String, from client: Client) async throws(AccountsError) -> User {
        let digest = try Self.digest(token)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client.address, configuration.limits, at: now)
        return try await store.writing { transaction in
            var (link, user) = try store.usableLink(
                digest, for: [.verifyEmail, .changeEmail], at: now, in: transaction)
            try store.removeLink(link, digest: digest, in: transaction)
            if link.purpose == .changeEmail {
                try store.changeEmail(of: &user, to: link.email, client, at: now, in: transaction)
                return User(user)
            }
            if let hash = link.passwordHash {
                try Tables.passwords.put(PasswordRecord(hash: hash, changedAt: now), for: user.id, in: transaction)
            }
            if let name = link.name { user.name = name }
            try store.verify(&user, link.email, keepingPassword: true, at: now, in: transaction)
            return User(user)
        }
    }

    /// Asks for another address. It becomes the account's when the link that goes there is used, and both addresses are
    /// told then. Nobody learns whether the new one has an account.
    ///
    /// - Throws: `invalid`, `rateLimited`.
    public func changeEmail(
        of principal: Principal, to email: String, from client: Client
    ) async throws(AccountsError) {
        let email = try Self.email(email)
        let now = now
        let store = store
        try limiter.take(.mail, client: client.address, configuration.limits, at: now)
        try limiter.take(.mail, mailbox: email.canonical, configuration.limits, at: now)
        let token = try SecretText(store.random)
        try await store.writing { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            try store.requestEmailChange(
                of: user, to: email, token, client, by: client.actor(user.username, session: session.id), at: now,
                in: transaction)
        }
    }

    /// Changes what a person may change of themselves.
    ///
    /// - Throws: `invalid`.
    public func rename(
        _ principal: Principal, to name: String, from client: Client
    ) async throws(AccountsError) -> User {
        let name = try validatedLabel(name, what: "name")
        let now = now
        let store = store
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
