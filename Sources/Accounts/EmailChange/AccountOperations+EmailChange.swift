internal import Core
internal import LMDB

extension AccountOperations {
    /// Asks for another address. It becomes the account's when the link that goes there is used. Both addresses are told
    /// of the wish, and both of the change; nobody learns whether the new one has an account.
    ///
    /// A newer wish replaces an older one. It ends with a new password, with the account, and with the session that it
    /// was asked in when that one is ended from elsewhere.
    ///
    /// - Throws: `reauthenticationRequired` when the sign-in is not of the last minutes; `invalid` for what is no address
    ///   or the account's own, `rateLimited`.
    public func changeEmail(
        of principal: Principal, to email: String, from client: Client
    ) async throws(AccountsError) {
        let email = try Self.email(email)
        let now = now
        let store = store
        // Before the limit: what is refused anyway must not use up what the owner may need.
        try store.read { transaction in
            _ = try store.requireEmailChange(of: principal, to: email, at: now, in: transaction)
        }
        let userID = principal.userID
        try limiter.take(
            .mail, client: client, as: .emailChangeRequested, by: userID, configuration.limits, at: now)
        try takeMail(.changeEmail, to: email, as: .emailChangeRequested, by: userID, from: client, at: now)
        let token = try SecretText(store.random)
        try await store.writing { transaction in
            let (user, session) = try store.requireEmailChange(of: principal, to: email, at: now, in: transaction)
            let wish = EmailChange(email: email, token: token, client: client, session: session.id)
            try store.request(wish, of: user, at: now, in: transaction)
        }
    }
}

extension AccountOperations {
    /// The user name of the account that a link would give its address to; nil for a link that is for something else.
    /// Whoever follows it must see whose wish they fulfil: a stranger may have asked for it.
    ///
    /// - Throws: `invalidToken`.
    public func accountWanting(_ token: String) throws(AccountsError) -> String? {
        let digest = try Self.digest(token)
        let store = store
        let now = now
        return try store.read { transaction in
            let (link, user) = try store.usableLink(
                digest, for: Set(LinkPurpose.allCases), at: now, in: transaction)
            return link.purpose == .changeEmail ? user.username : nil
        }
    }
}

/// Another address that somebody wants for their account.
struct EmailChange: Sendable {
    let email: EmailAddress
    let token: SecretText
    let client: Client
    /// The session that it is asked for in.
    let session: String
}
