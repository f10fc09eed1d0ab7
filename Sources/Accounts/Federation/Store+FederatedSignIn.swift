internal import Core
internal import LMDB

/// A sign-in by a provider, with everything made that its transaction may need.
struct FederatedSignIn: Sendable {
    let identity: FederatedIdentity
    let terms: FederationTerms
    let linkID: String
    let userID: String
    let actor: AuditActor
    let client: Client
}

extension Store {
    /// The account that an identity signs in to, found, linked or made.
    ///
    /// ```
    ///   linked? ──yes──────────────────────────────────────────► that account, and no other
    ///      │ no
    ///   verified address? ──no─────────────────────────────────► refused
    ///      │ yes
    ///   an account has it? ──no──► create_users? ──yes─────────► a new one
    ///      │ yes                        └── no ────────────────► refused
    ///   domain in claim_accounts, or made by the operator and
    ///   never used? ──yes──────────────────────────────────────► linked
    ///      └── no ─────────────────────────────────────────────► refused: to be proved first
    /// ```
    ///
    /// - Returns: the account as it is to be signed in to (stored), with the link.
    func account(
        for signIn: FederatedSignIn, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Result<(user: UserRecord, link: SocialAccountRecord), FederationRefusal> {
        let identity = signIn.identity
        if try isBlocked(identity, in: transaction) { return .failure(.blocked) }
        if try hasEnded(identity.place, at: now, in: transaction) { return .failure(.sessionEnded) }
        let hasEnded = try hasEnded(identity, at: now, in: transaction)
        if let link = try Tables.socialAccounts.get(identity.key, in: transaction) {
            guard var user = try Tables.users.get(link.userID, in: transaction) else {
                return .failure(.noAccount)
            }
            if let refusal = try standing(of: user, in: transaction) { return .failure(refusal) }
            if hasEnded || identity.isEnded(by: link.endedAt, at: now) {
                return .failure(.ended(user.id, user.username))
            }
            try noteGroups(identity, signIn.terms, of: link, for: &user, in: transaction)
            try Tables.users.put(user, for: user.id, in: transaction)
            return .success((user, link))
        }
        if hasEnded { return .failure(.sessionEnded) }
        guard let email = identity.email, identity.emailIsVerified else { return .failure(.unverified) }
        let known = try findUser(email: email, in: transaction)
        var user: UserRecord
        let how: LinkReason
        switch known {
        case let found?:
            if let refusal = try standing(of: found, in: transaction) { return .failure(refusal) }
            if signIn.terms.claimedDomains.contains(email.domain) {
                how = .claimedDomain
            } else if signIn.terms.linksUnused, try awaitsCredential(found, in: transaction) {
                how = .firstCredential
            } else {
                return .failure(.mustBeProved(found.id, found.username))
            }
            user = found
        case nil:
            guard signIn.terms.createsUsers, let made = try makeUser(for: signIn, email, at: now, in: transaction)
            else { return .failure(.noAccount) }
            (user, how) = (made, .firstSignIn)
        }
        let link = try link(
            identity, to: &user, id: signIn.linkID, how: how, by: signIn.actor, from: signIn.client, at: now,
            in: transaction)
        try noteGroups(identity, signIn.terms, of: link, for: &user, in: transaction)
        try Tables.users.put(user, for: user.id, in: transaction)
        return .success((user, link))
    }

    /// Why nobody signs in to this account; nil: they may.
    func standing(
        of user: UserRecord, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> FederationRefusal? {
        if user.service { return .noAccount }
        if try isShutOut(user, in: transaction) { return .disabled(user.id, user.username) }
        return nil
    }

    /// The identity itself, or an address that it comes with, verified or not, is blocked.
    func isBlocked(
        _ identity: FederatedIdentity, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        if try Tables.blocks.revision(of: identity.key, in: transaction) != nil { return true }
        guard let email = identity.email else { return false }
        return try Tables.blocks.revision(of: BlockSubject.email(email).key, in: transaction) != nil
    }

    /// The provider has ended what it has proved of an identity while that was on its way.
    ///
    /// - Parameter link: of the identity; nil: there is none.
    func hasEnded(
        _ identity: FederatedIdentity, _ link: SocialAccountRecord?, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        if let link, identity.isEnded(by: link.endedAt, at: now) { return true }
        return try hasEnded(identity, at: now, in: transaction) || hasEnded(identity.place, at: now, in: transaction)
    }

    /// The operator made it, and there never was anything to sign in to it with.
    private func awaitsCredential(_ user: UserRecord, in transaction: borrowing WriteTransaction) throws -> Bool {
        guard user.awaitsCredential == true, try Tables.passwords.get(user.id, in: transaction) == nil,
            try keyIDs(of: user.id, in: transaction).isEmpty, try sessionIDs(of: user.id, in: transaction).isEmpty
        else { return false }
        return try socialAccounts(of: user.id, in: transaction).isEmpty
    }

    /// - Returns: nil when the address is somebody's user name, now or formerly.
    private func makeUser(
        for signIn: FederatedSignIn, _ email: EmailAddress, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> UserRecord? {
        let username = try? UserName.validated(email.description)
        guard let username, try Tables.usersByName.get(UserName.folded(username), in: transaction) == nil else {
            return nil
        }
        let user = UserRecord(
            id: signIn.userID, email: email.description, username: username,
            name: (try? validatedLabel(VisibleText.stripped(signIn.identity.name), what: "name")) ?? "", groups: [],
            service: false,
            disabled: false, epoch: 1, createdAt: now)
        try Tables.usersByEmail.put(ReferenceRecord(user.id), for: email.canonical, in: transaction)
        try Tables.usersByName.put(
            NameRecord(userID: user.id, current: true), for: UserName.folded(username), in: transaction)
        try inheritFailures(user, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .userRegistered, user: user.username, userID: user.id, metadata: signIn.identity.metadata),
            by: signIn.actor, at: now, in: transaction)
        return user
    }
}

extension FederatedIdentity {
    /// - Parameter end: up to when what was proved is worth nothing; nil: nothing has ended.
    func isEnded(by end: Timestamp?, at now: Timestamp) -> Bool {
        end.map { $0 >= broughtAt ?? now + .milliseconds(1) } ?? false
    }
}

/// Why an identity signs in to no account.
enum FederationRefusal: Error, Equatable {
    case blocked
    case disabled(String, String)
    case unverified
    case noAccount
    case mustBeProved(String, String)
    /// The provider has ended its sessions since it brought this person.
    case ended(String, String)
    /// The provider has ended the session there by which this person came.
    case sessionEnded

    var error: AccountsError {
        switch self {
        case .blocked, .disabled: AccountsError(.userDisabled, "This account is disabled or blocked.")
        case .unverified:
            AccountsError(.emailNotVerified, "The provider does not say that your e-mail address is verified.")
        case .ended, .sessionEnded: AccountsError(.invalidToken, "The provider has ended this sign-in: begin again.")
        case .noAccount: AccountsError(.refused, "There is no account for you here: ask whoever runs this site.")
        case .mustBeProved:
            AccountsError(
                .exists, "There is an account with your address: sign in to it first and link the provider there.")
        }
    }

    var reason: String {
        switch self {
        case .blocked, .disabled: Reason.userDisabled.rawValue
        case .unverified: Reason.emailNotVerified.rawValue
        case .noAccount: "not_found"
        case .mustBeProved: "account_exists"
        case .ended, .sessionEnded: "provider_ended"
        }
    }

    /// Whose account it was about.
    var user: (id: String, name: String)? {
        switch self {
        case .disabled(let id, let name), .mustBeProved(let id, let name), .ended(let id, let name): (id, name)
        case .blocked, .unverified, .noAccount, .sessionEnded: nil
        }
    }
}
