internal import Core
internal import LMDB

extension Store {
    /// Who may ask for this address now.
    ///
    /// - Throws: as ``requireRecentProof(_:at:in:)``; `invalid`.
    func requireEmailChange(
        of principal: Principal, to email: EmailAddress, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (user: UserRecord, session: SessionRecord) {
        let (user, session) = try requireRecentProof(principal, at: now, in: transaction)
        guard user.canonicalEmail != email.canonical else {
            throw AccountsError(.invalid, "This is the address of the account already.", .emailUnchanged)
        }
        return (user, session)
    }

    /// One event and two mails, whether the address can be had or not.
    func request(
        _ wish: EmailChange, of user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let client = wish.client
        try append(
            NewAuditEvent(
                .emailChangeRequested, user: user.username, userID: user.id,
                metadata: ["to": .string(wish.email.description)]),
            by: client.actor(user.username, session: wish.session), at: now, in: transaction)
        // The newest wish counts.
        try removeLinks(of: user.id, purposes: [.changeEmail], at: now, in: transaction)
        try mail(
            .emailChangeRequested(newEmail: wish.email.description, client.occasion(at: now)), to: user, client,
            at: now, in: transaction)
        let content: MailContent
        var end: Timestamp?
        switch try availability(of: wish.email, for: user, in: transaction) {
        case .free:
            let expiresAt = now + AccountOperations.verificationLifetime
            end = expiresAt
            content = .confirmNewEmail(link: url(of: .changeEmail, token: wish.token.text))
            try insert(
                LinkRecord(
                    purpose: .changeEmail, userID: user.id, epoch: user.epoch, email: wish.email.description,
                    createdAt: now, expiresAt: expiresAt, session: wish.session), digest: wish.token.digest,
                in: transaction)
        case .taken: content = .alreadyRegistered(link: forgotPasswordURL)
        case .blocked: content = .noAccount
        }
        try enqueue(
            MailMessage(content, to: wish.email, language: client.language, userID: user.id, expiresAt: end), at: now,
            in: transaction)
    }

    /// Gives an account the address whose link was followed.
    ///
    /// - Throws: `exists` when it has become another account's since, `invalidToken` when it was blocked since.
    func changeEmail(
        of user: inout UserRecord, to text: String, _ client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard let email = EmailAddress(text), let old = EmailAddress(user.email) else {
            throw AccountsError.invalidLink
        }
        switch try availability(of: email, for: user, in: transaction) {
        case .free: break
        case .taken: throw AccountsError(.exists, "The address belongs to another account by now.")
        case .blocked: throw AccountsError.invalidLink
        }
        let before = user
        try Tables.usersByEmail.delete(user.canonicalEmail, in: transaction)
        try Tables.usersByEmail.put(ReferenceRecord(user.id), for: email.canonical, in: transaction)
        user.email = email.description
        try Tables.users.put(user, for: user.id, in: transaction)
        try inheritFailures(user, at: now, in: transaction)
        // What was mailed to the old address is nobody's any more. What the operator has made to set up a factor with is
        // the owner's still: it opens nothing by itself, and without it they could not come back in.
        try removeLinks(
            of: user.id, purposes: Set(LinkPurpose.allCases).subtracting([.enrolFactor]), at: now, in: transaction)
        try append(
            NewAuditEvent(
                .emailChanged, user: user.username, userID: user.id,
                metadata: ["from": .string(old.description), "to": .string(email.description)]),
            by: client.actor(user.username), at: now, in: transaction)
        let content = MailContent.emailChanged(newEmail: email.description, client.occasion(at: now))
        try mail(content, to: before, client, at: now, in: transaction)
        try mail(content, to: user, client, at: now, in: transaction)
    }

    /// Which wishes for another address end.
    enum EndedWishes {
        case all
        /// Those asked for in this session.
        case of(session: String)
        /// Those asked for in any other session.
        case except(session: String)
    }

    /// Ends the wish for another address with the session that it came from: somebody who signs a stranger out must not
    /// find the account in the stranger's mailbox a day later.
    func endEmailChange(
        of userID: String, _ which: EndedWishes, in transaction: borrowing WriteTransaction
    ) throws {
        for key in try Tables.linksByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction) {
            guard let link = try Tables.oneTimeLinks.get(key.second, in: transaction), link.purpose == .changeEmail
            else { continue }
            let ends =
                switch which {
                case .all: true
                case .of(let session): link.session == session
                case .except(let session): link.session != session
                }
            if ends { try removeLink(link, digest: key.second, in: transaction) }
        }
    }

    private enum Availability {
        case free, taken, blocked
    }

    /// Nobody else's address and, since a sign-in takes either, nobody else's user name.
    private func availability(
        of email: EmailAddress, for user: UserRecord, in transaction: borrowing WriteTransaction
    ) throws -> Availability {
        if try findUser(email: email, in: transaction) != nil { return .taken }
        if let name = try Tables.usersByName.get(email.canonical, in: transaction), name.userID != user.id {
            return .taken
        }
        let block = BlockSubject.emailText(email.canonical).key
        return try Tables.blocks.revision(of: block, in: transaction) == nil ? .free : .blocked
    }
}
