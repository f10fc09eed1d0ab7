internal import Core
internal import LMDB

extension Store {
    /// Notes that a link was followed that had gone to `email`. The password of an account that was unverified goes:
    /// somebody else may have chosen it.
    ///
    /// - Parameter user: changed, and stored.
    func verify(
        _ user: inout UserRecord, _ email: String, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        guard user.canonicalEmail == email else { throw AccountsError.invalidLink }
        let wasUnverified = !user.isVerified
        if wasUnverified { try Tables.passwords.delete(user.id, in: transaction) }
        user.unverified = nil
        try Tables.users.put(user, for: user.id, in: transaction)
        try removeLinks(of: user.id, purposes: [.verifyEmail, .invitation], at: now, in: transaction)
        guard wasUnverified else { return }
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
