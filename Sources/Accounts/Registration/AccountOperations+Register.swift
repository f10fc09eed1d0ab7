public import Core
internal import LMDB

/// An account that somebody asked for and whose mail was followed: what its page shows.
public struct PendingRegistration: Sendable, Equatable {
    /// The address that the account would have, and its user name.
    public let email: String
    /// What was typed when it was asked for; whoever follows the mail may say otherwise.
    public let name: String
    /// Where the person wanted to go.
    public let returnTo: String?
}

extension AccountOperations {
    /// Asks for an account for an address. There is none, and nothing of anybody's changes, until the link that is
    /// mailed there is used (``verifyEmail(_:password:name:from:)``).
    ///
    /// Whose mailbox it is decides, not who asked: the password rests with the link that was mailed for it and never
    /// comes near an account that exists, be it the operator's or one that was verified meanwhile. On the page that the
    /// link leads to a password is always chosen anew, since who follows a mail there may not be who asked. Only the API
    /// (`email/verify` with nothing but the token) takes the one that the API was given, as its wire has it: a program
    /// must carry the token there, which nobody does by following a mail. An invited address gets its invitation again.
    ///
    /// Every address gets the same answer, hash run, transaction, number of mails, and the same answers to sign-ins with
    /// the password from here: a registration is also kept where there is an account, with a link that nobody has.
    ///
    /// - Parameters:
    ///   - password: nil: it is chosen when the mail is followed. Not kept where there are no passwords.
    ///   - returnTo: where the person goes on in the end.
    /// - Throws: `refused` when registration is closed; `invalid`, `rateLimited`.
    public func register(
        _ email: String, password: SecretBytes?, name: String = "", returnTo: String? = nil, from client: Client
    ) async throws(AccountsError) {
        guard configuration.registration != .closed else {
            throw AccountsError(.refused, "Nobody can register here: ask whoever runs this site for an account.")
        }
        let email = try Self.email(email)
        let name = try validatedLabel(name, what: "name", .nameMalformed)
        let now = now
        let store = store
        try limiter.take(.mail, client: client, as: .userRegistered, configuration.limits, at: now)
        let password = configuration.passwordIsEnabled ? password : nil
        // Before the address is counted: who tries one password after the other sends no mail.
        if let password { try await requireAcceptable(password, for: Self.person(email, name)) }
        try takeMail(.registration, to: email, as: .userRegistered, from: client, at: now)
        var hash: String?
        if let password { hash = try await hashAccepted(password, from: client) }
        let registration = Registration(
            email: email, name: name, hash: hash, token: try SecretText(store.random),
            invitation: try SecretText(store.random), client: client,
            isInvitedOnly: configuration.registration == .invited, passwordIsEnabled: configuration.passwordIsEnabled,
            returnTo: returnTo, kept: linksKept(within: Self.verificationLifetime))
        try await store.writing { transaction in
            try store.register(registration, at: now, in: transaction)
        }
    }

    /// What a registration's link would make, for the page that it leads to; nil for a link of another kind. Changes
    /// nothing.
    ///
    /// - Throws: `invalidToken` for a registration that is over.
    public func registration(at token: String) throws(AccountsError) -> PendingRegistration? {
        try registration(Self.digest(token), at: now).map {
            PendingRegistration(email: $0.email, name: $0.name ?? "", returnTo: $0.returnTo)
        }
    }

    /// The link of a registration that can still be used; nil for another kind of link, or none.
    func registration(_ digest: [UInt8], at now: Timestamp) throws(AccountsError) -> LinkRecord? {
        let store = store
        let isOpen = configuration.registration == .open
        return try store.read { transaction in
            guard let link = try Tables.oneTimeLinks.get(digest, in: transaction), link.purpose == .registration
            else { return nil }
            guard isOpen else { throw AccountsError.invalidLink }
            _ = try store.acceptable(link, at: now, in: transaction)
            return link
        }
    }

    /// Makes the account of a registration whose mail was followed.
    func accept(
        _ link: LinkRecord, _ digest: [UInt8], password: SecretBytes?, name: String?, language: MailLanguage?,
        from client: Client, at now: Timestamp
    ) async throws(AccountsError) -> User {
        let name = try validatedLabel(name ?? link.name ?? "", what: "name", .nameMalformed)
        var hash: String?
        if configuration.passwordIsEnabled {
            if let password {
                guard let email = EmailAddress(link.email) else { throw AccountsError.invalidLink }
                hash = try await self.hash(password, for: Self.person(email, name), from: client)
            } else if let chosen = link.passwordHash {
                hash = chosen
            } else {
                throw AccountsError(.invalid, "This registration came without a password: choose one.")
            }
        }
        let accepted = AcceptedRegistration(
            digest: digest, rest: try SecretText(store.random), userID: try store.random.id("usr"), hash: hash,
            name: name, language: language, client: client)
        let store = store
        return try await store.writing { transaction in
            User(try store.accept(accepted, at: now, in: transaction))
        }
    }

    private static func person(_ email: EmailAddress, _ name: String) -> PasswordPolicy.Person {
        PasswordPolicy.Person(email: email.description, username: email.description, name: name)
    }
}
