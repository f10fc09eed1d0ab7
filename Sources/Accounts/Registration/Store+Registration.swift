internal import Core
internal import LMDB

/// A registration with its password hashed.
struct Registration: Sendable {
    let email: EmailAddress
    let name: String
    let hash: String
    let token: SecretText
    /// Of the account, if there is none yet.
    let userID: String
    let client: Client
    let isInvitedOnly: Bool
}

extension Store {
    func register(
        _ new: Registration, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let known = try findUser(email: new.email, in: transaction)
        let invited = try known.map { try isInvited($0, at: now, in: transaction) } ?? false
        var user: UserRecord?
        if let known {
            if !known.isVerified || invited { user = known }
        } else if !new.isInvitedOnly {
            user = try addRegistrant(new, at: now, in: transaction)
        }
        try append(
            NewAuditEvent(
                .userRegistered, success: user != nil, reason: user == nil ? "refused" : nil,
                user: user?.username ?? known?.username ?? new.email.canonical, userID: user?.id ?? known?.id),
            by: new.client.actor("anonymous"), at: now, in: transaction)
        guard let user, try !isShutOut(user, in: transaction) else {
            let isKnown = known != nil
            let content = isKnown ? MailContent.alreadyRegistered(link: forgotPasswordURL) : .noAccount
            return try enqueue(
                MailMessage(content, to: new.email, language: new.client.language, userID: known?.id), at: now,
                in: transaction)
        }
        // A password for who signs in before the address is verified: it only tells the right person what is missing.
        if !user.isVerified {
            try Tables.passwords.put(PasswordRecord(hash: new.hash, changedAt: now), for: user.id, in: transaction)
        }
        let end = now + AccountOperations.verificationLifetime
        try insert(
            LinkRecord(
                purpose: .verifyEmail, userID: user.id, epoch: user.epoch, email: user.canonicalEmail, createdAt: now,
                expiresAt: end, passwordHash: new.hash, name: new.name), digest: new.token.digest, in: transaction)
        try mail(
            .verifyEmail(link: url(of: .verifyEmail, token: new.token.text)), to: user, new.client, expiresAt: end,
            at: now, in: transaction)
    }

    private var forgotPasswordURL: String { "\(configuration.publicURL)/.auth/forgot-password" }

    /// Waits for its first password, by a link that the operator has made.
    private func isInvited(
        _ user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        guard !user.service, try Tables.passwords.get(user.id, in: transaction) == nil else { return false }
        let prefix = KeyPair<String, [UInt8]>.prefix(user.id)
        for key in try Tables.linksByUser.keys(prefix: prefix, in: transaction) {
            guard let link = try Tables.oneTimeLinks.get(key.second, in: transaction) else { continue }
            if link.purpose == .invitation, link.expiresAt > now { return true }
        }
        return false
    }

    /// - Returns: nil when the address is somebody's user name, now or formerly.
    private func addRegistrant(
        _ new: Registration, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> UserRecord? {
        let folded = UserName.folded(new.email.description)
        guard try Tables.usersByName.get(folded, in: transaction) == nil else { return nil }
        var user = UserRecord(
            id: new.userID, email: new.email.description, username: new.email.description, name: new.name, groups: [],
            service: false, disabled: false, epoch: 1, createdAt: now)
        user.unverified = true
        try Tables.users.put(user, for: user.id, in: transaction)
        try Tables.usersByEmail.put(ReferenceRecord(user.id), for: new.email.canonical, in: transaction)
        try Tables.usersByName.put(NameRecord(userID: user.id, current: true), for: folded, in: transaction)
        return user
    }

    /// The link again, with what the last registration had chosen.
    func resendVerification(
        to email: EmailAddress, _ token: SecretText, _ client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let user = try findUser(email: email, in: transaction)
        guard let user, !user.isVerified, let password = try Tables.passwords.get(user.id, in: transaction),
            try !isShutOut(user, in: transaction)
        else {
            let content = user == nil ? MailContent.noAccount : .alreadyRegistered(link: forgotPasswordURL)
            return try enqueue(
                MailMessage(content, to: email, language: client.language, userID: user?.id), at: now, in: transaction)
        }
        let end = now + AccountOperations.verificationLifetime
        try insert(
            LinkRecord(
                purpose: .verifyEmail, userID: user.id, epoch: user.epoch, email: user.canonicalEmail, createdAt: now,
                expiresAt: end, passwordHash: password.hash, name: user.name), digest: token.digest, in: transaction)
        try mail(
            .verifyEmail(link: url(of: .verifyEmail, token: token.text)), to: user, client, expiresAt: end, at: now,
            in: transaction)
    }

    /// Notes that a link was followed that had gone to `email`.
    ///
    /// - Parameters:
    ///   - user: changed, and stored.
    ///   - keepingPassword: else the password of an account that was unverified goes: somebody else may have chosen it.
    func verify(
        _ user: inout UserRecord, _ email: String, keepingPassword: Bool = false, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard user.canonicalEmail == email else { throw AccountsError.invalidLink }
        let wasUnverified = !user.isVerified
        if wasUnverified, !keepingPassword { try Tables.passwords.delete(user.id, in: transaction) }
        user.unverified = nil
        try Tables.users.put(user, for: user.id, in: transaction)
        try removeLinks(of: user.id, purposes: [.verifyEmail, .invitation], at: now, in: transaction)
        guard wasUnverified || keepingPassword else { return }
        try append(
            NewAuditEvent(
                .emailVerified, user: user.username, userID: user.id, metadata: ["email": .string(user.email)]),
            by: AuditActor(user.username), at: now, in: transaction)
    }

    func requestEmailChange(
        of user: UserRecord, to email: EmailAddress, _ token: SecretText, _ client: Client, by actor: AuditActor,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let isFree = try isFree(email, for: user, in: transaction)
        try append(
            NewAuditEvent(
                .emailChangeRequested, user: user.username, userID: user.id,
                metadata: ["to": .string(email.description)]),
            by: actor, at: now, in: transaction)
        try removeLinks(of: user.id, purposes: [.changeEmail], at: now, in: transaction)
        if isFree {
            let end = now + AccountOperations.verificationLifetime
            try insert(
                LinkRecord(
                    purpose: .changeEmail, userID: user.id, epoch: user.epoch, email: email.description,
                    createdAt: now, expiresAt: end), digest: token.digest, in: transaction)
            try enqueue(
                MailMessage(
                    .confirmNewEmail(link: url(of: .changeEmail, token: token.text)), to: email,
                    language: client.language, userID: user.id, expiresAt: end), at: now, in: transaction)
        } else {
            try enqueue(
                MailMessage(.alreadyRegistered(link: forgotPasswordURL), to: email, language: client.language), at: now,
                in: transaction)
        }
    }

    func changeEmail(
        of user: inout UserRecord, to text: String, _ client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard let email = EmailAddress(text), let old = EmailAddress(user.email) else {
            throw AccountsError.invalidLink
        }
        guard try isFree(email, for: user, in: transaction) else {
            throw AccountsError(.exists, "The address belongs to another account by now.")
        }
        let before = user
        try Tables.usersByEmail.delete(user.canonicalEmail, in: transaction)
        try Tables.usersByEmail.put(ReferenceRecord(user.id), for: email.canonical, in: transaction)
        user.email = email.description
        try Tables.users.put(user, for: user.id, in: transaction)
        // What was mailed to the old address is nobody's any more.
        try removeLinks(of: user.id, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .emailChanged, user: user.username, userID: user.id,
                metadata: ["from": .string(old.description), "to": .string(email.description)]),
            by: client.actor(user.username), at: now, in: transaction)
        let content = MailContent.emailChanged(newEmail: email.description, client.occasion(at: now))
        try mail(content, to: before, client, at: now, in: transaction)
        try mail(content, to: user, client, at: now, in: transaction)
    }

    /// Nobody else's address and, since a sign-in takes either, nobody else's user name.
    private func isFree(
        _ email: EmailAddress, for user: UserRecord, in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        if try Tables.usersByEmail.get(email.canonical, in: transaction) != nil { return false }
        guard let name = try Tables.usersByName.get(email.canonical, in: transaction) else { return true }
        return name.userID == user.id
    }
}
