internal import Core
internal import LMDB

/// A registration with its password hashed.
struct Registration: Sendable {
    let email: EmailAddress
    let name: String
    let hash: String?
    let token: SecretText
    /// Of the link that an invited address gets instead.
    let invitation: SecretText
    let client: Client
    let isInvitedOnly: Bool
    let passwordIsEnabled: Bool
    let returnTo: String?
    /// So many registrations of one address wait at a time. Several, so that a stranger who registers somebody's address
    /// does not make the link void that its owner was just mailed.
    let kept: Int
}

/// A registration whose mail was followed, on its way to become an account.
struct AcceptedRegistration: Sendable {
    let digest: [UInt8]
    /// Under which it rests: nobody is ever given this.
    let rest: SecretText
    let userID: String
    let hash: String?
    let name: String
    /// Nil: the one that it was asked for in.
    let language: MailLanguage?
    let client: Client
}

extension Store {
    /// So many invitations that were asked for again are good at a time, beside the operator's own.
    private static let invitationsKept = 4

    /// Whose links registrations of an address are, since there is no user yet. User ids have another form, so that
    /// nothing that is for a user ever finds these.
    static func registrant(_ email: EmailAddress) -> String { "registration " + email.canonical }

    /// Keeps a registration and mails its link, or says in a mail why there is none. The rows are the same for every
    /// address; what is kept for one that cannot be registered has a token that goes nowhere.
    func register(
        _ new: Registration, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let known = try findUser(email: new.email, in: transaction)
        // Where there are no passwords, an invitation would lead to a page that refuses to set one.
        let invited = new.passwordIsEnabled ? known : nil
        let invitedUntil = try invited.flatMap { try invitationEnd(of: $0, at: now, in: transaction) }
        let isFree = try known == nil && isRegistrable(new.email, in: transaction)
        let isWelcome = isFree && !new.isInvitedOnly
        try append(
            NewAuditEvent(
                .userRegistered, success: isWelcome || invitedUntil != nil,
                reason: isWelcome || invitedUntil != nil ? nil : "refused",
                user: known?.username ?? new.email.canonical, userID: known?.id),
            by: new.client.actor("anonymous"), at: now, in: transaction)
        let end = now + AccountOperations.verificationLifetime
        let registrant = Self.registrant(new.email)
        try keepNewest(new.kept - 1, of: registrant, in: transaction) { $0.purpose == .registration }
        try insert(
            LinkRecord(
                purpose: .registration, userID: registrant, epoch: 0, email: new.email.description, createdAt: now,
                expiresAt: end, returnTo: new.returnTo, passwordHash: new.hash, name: new.name,
                language: new.client.language),
            digest: new.token.digest, in: transaction)
        if let known, let invitedUntil {
            return try inviteAgain(known, new, until: min(end, invitedUntil), at: now, in: transaction)
        }
        let content: MailContent =
            if isWelcome {
                .verifyEmail(link: url(of: .registration, token: new.token.text))
            } else if known != nil {
                .alreadyRegistered(link: new.passwordIsEnabled ? forgotPasswordURL : loginURL)
            } else {
                .noAccount
            }
        try enqueue(
            MailMessage(
                content, to: new.email, language: new.client.language, userID: known?.id,
                expiresAt: isWelcome ? end : nil), at: now, in: transaction)
    }

    /// The page for a new password, for who has an account and does not know it any more.
    var forgotPasswordURL: String { "\(configuration.publicURL)/.auth/forgot-password" }

    /// The page for who has an account where there are no passwords.
    private var loginURL: String { "\(configuration.publicURL)/.auth/login" }

    /// Another invitation, beside the operator's own and never for longer.
    private func inviteAgain(
        _ user: UserRecord, _ new: Registration, until end: Timestamp, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        try keepNewest(Self.invitationsKept - 1, of: user.id, in: transaction) {
            $0.purpose == .invitation && $0.origin == .registration
        }
        try insert(
            LinkRecord(
                purpose: .invitation, userID: user.id, epoch: user.epoch, email: user.canonicalEmail, createdAt: now,
                expiresAt: end, origin: .registration), digest: new.invitation.digest, in: transaction)
        let days = max(1, Int((end - now).wholeMilliseconds / 86_400_000))
        try mail(
            .invitation(link: url(of: .invitation, token: new.invitation.text), days: days), to: user, new.client,
            expiresAt: end, at: now, in: transaction)
    }

    /// Until when an account waits for its first password, by a link that the operator has made; nil: it does not.
    private func invitationEnd(
        of user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Timestamp? {
        guard !user.service, try Tables.passwords.get(user.id, in: transaction) == nil,
            try !isShutOut(user, in: transaction)
        else { return nil }
        var latest: Timestamp?
        for key in try Tables.linksByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(user.id), in: transaction) {
            guard let link = try Tables.oneTimeLinks.get(key.second, in: transaction), link.purpose == .invitation,
                link.epoch == user.epoch, link.expiresAt > now
            else { continue }
            latest = max(latest ?? now, link.expiresAt)
        }
        return latest
    }

    /// Nobody's address, nobody's user name, now or formerly, and not blocked.
    private func isRegistrable(
        _ email: EmailAddress, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        guard try Tables.usersByEmail.get(email.canonical, in: transaction) == nil,
            try Tables.usersByName.get(UserName.folded(email.description), in: transaction) == nil
        else { return false }
        return try Tables.blocks.revision(of: BlockSubject.emailText(email.canonical).key, in: transaction) == nil
    }

    /// The address of a registration that can still become an account.
    ///
    /// - Throws: `invalidToken`, also when the address is somebody's by now: the operator's account, or another
    ///   registration's, is never given away by an earlier mail.
    func acceptable(
        _ link: LinkRecord, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> EmailAddress {
        guard link.purpose == .registration, link.expiresAt > now, let email = EmailAddress(link.email),
            try isRegistrable(email, in: transaction)
        else { throw AccountsError.invalidLink }
        return email
    }

    /// Makes the account. No registration of the address can become another one now (``acceptable(_:at:in:)``), but all
    /// rest until their time is over, and failures go on to count: what strangers are told at a sign-in, who may have
    /// registered the address too, is the same before and after.
    func accept(
        _ accepted: AcceptedRegistration, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> UserRecord {
        guard let link = try Tables.oneTimeLinks.get(accepted.digest, in: transaction) else {
            throw AccountsError.invalidLink
        }
        let email = try acceptable(link, at: now, in: transaction)
        let user = UserRecord(
            id: accepted.userID, email: email.description, username: email.description, name: accepted.name,
            groups: [], service: false, disabled: false, epoch: 1, createdAt: now,
            language: accepted.language ?? link.language)
        try Tables.users.put(user, for: user.id, in: transaction)
        try Tables.usersByEmail.put(ReferenceRecord(user.id), for: email.canonical, in: transaction)
        try Tables.usersByName.put(
            NameRecord(userID: user.id, current: true), for: UserName.folded(user.username), in: transaction)
        if let hash = accepted.hash {
            try Tables.passwords.put(PasswordRecord(hash: hash, changedAt: now), for: user.id, in: transaction)
        }
        try removeLink(link, digest: accepted.digest, in: transaction)
        try insert(link, digest: accepted.rest.digest, in: transaction)
        try inheritFailures(user, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .emailVerified, user: user.username, userID: user.id, metadata: ["email": .string(user.email)]),
            by: accepted.client.actor(user.username), at: now, in: transaction)
        return user
    }

    /// The hash of the newest registration of what somebody signs in by, if it is an address and there is one.
    func registrationHash(
        _ identifier: String, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> String? {
        guard let email = EmailAddress(identifier) else { return nil }
        var newest: LinkRecord?
        let prefix = KeyPair<String, [UInt8]>.prefix(Self.registrant(email))
        for key in try Tables.linksByUser.keys(prefix: prefix, in: transaction) {
            guard let link = try Tables.oneTimeLinks.get(key.second, in: transaction), link.expiresAt > now,
                link.passwordHash != nil, newest.map({ $0.createdAt <= link.createdAt }) ?? true
            else { continue }
            newest = link
        }
        return newest?.passwordHash
    }
}
