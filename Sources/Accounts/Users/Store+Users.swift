internal import Core
internal import LMDB

extension Store {
    /// Makes an account; it counts as verified, since the operator made it.
    ///
    /// - Throws: `exists` when the e-mail address or the user name is taken (a name stays taken after its account was
    ///   renamed or deleted), `invalid`.
    public func addUser(_ new: NewUser, by actor: AuditActor) throws(AccountsError) -> User {
        guard let email = EmailAddress(new.email) else {
            throw AccountsError(
                .invalid, "\(quoted(new.email)) is no e-mail address: it needs one @, plain ASCII and a domain.")
        }
        guard !new.service || new.passwordHash == nil else {
            throw AccountsError(.invalid, "A service account has only API keys: leave the password out.")
        }
        let now = clock.now()
        var record = UserRecord(
            id: try random.id("usr"), email: email.description,
            username: try UserName.validated(new.username ?? email.description),
            name: try validatedLabel(new.name, what: "name"),
            groups: try GroupName.validated(new.groups, byOperator: true), service: new.service, disabled: false,
            epoch: 1, createdAt: now, language: new.language)
        if new.passwordHash == nil, !new.service { record.awaitsCredential = true }
        let user = record
        return try write { transaction in
            guard
                try Tables.usersByEmail.insert(
                    ReferenceRecord(user.id), for: email.canonical, in: transaction)
            else {
                throw AccountsError(
                    .exists,
                    "There is an account with the e-mail address \(email) already: `gatehouse user show "
                        + "\(email)`.")
            }
            try self.claim(name: user.username, for: user, in: transaction)
            try Tables.users.put(user, for: user.id, in: transaction)
            try self.inheritFailures(user, at: now, in: transaction)
            try self.liftBlockOfDeleted(email, by: actor, at: now, in: transaction)
            if let hash = new.passwordHash {
                try Tables.passwords.put(PasswordRecord(hash: hash, changedAt: now), for: user.id, in: transaction)
            }
            try self.append(
                NewAuditEvent(
                    .userAdded, user: user.username, userID: user.id,
                    metadata: [
                        "email": .string(user.email), "groups": .strings(user.groups),
                        "service": .boolean(user.service),
                    ]),
                by: actor, at: now, in: transaction)
            return User(user)
        }
    }

    /// Gives an account another user name; the old one stays reserved for it. Credentials stay valid.
    ///
    /// - Throws: `notFound`, `exists`, `invalid`.
    public func renameUser(
        _ selector: String, to username: String, by actor: AuditActor
    ) throws(AccountsError) -> User {
        let username = try UserName.validated(username)
        return try change(user: selector, by: actor) { user, transaction in
            let old = user.username
            try Tables.usersByName.put(
                NameRecord(userID: user.id, current: false), for: UserName.folded(old), in: transaction)
            try self.claim(name: username, for: user, in: transaction)
            user.username = username
            return NewAuditEvent(.userRenamed, metadata: ["from": .string(old), "to": .string(username)])
        }
    }

    /// Replaces the groups; the next request already goes by them. Those that providers have given are gone until the
    /// next sign-in there.
    ///
    /// - Throws: `notFound`, `invalid`.
    public func setGroups(
        _ selector: String, to groups: [String], by actor: AuditActor
    ) throws(AccountsError) -> User {
        let groups = try GroupName.validated(groups, byOperator: true)
        return try change(user: selector, by: actor) { user, _ in
            let old = user.groups
            let given = user.groupsOfProviders
            user.groups = groups
            user.providerGrants = nil
            var metadata: [String: AuditValue] = ["from": .strings(old), "to": .strings(groups)]
            if !given.isEmpty { metadata["provider_groups_removed"] = .strings(given) }
            return NewAuditEvent(.userGroupsChanged, metadata: metadata)
        }
    }

    /// Reads an account, lets `body` change it, and writes it with the event.
    func change(
        user selector: String, by actor: AuditActor,
        _ body: @escaping @Sendable (inout UserRecord, borrowing WriteTransaction) throws -> NewAuditEvent
    ) throws(AccountsError) -> User {
        let now = clock.now()
        return try write { transaction in
            var user = try self.require(user: selector, in: transaction)
            var event = try body(&user, transaction)
            event.user = user.username
            event.userID = user.id
            try Tables.users.put(user, for: user.id, in: transaction)
            try self.append(event, by: actor, at: now, in: transaction)
            return User(user)
        }
    }

    /// Reserves a user name. It must be nobody else's name, now or formerly, and nobody else's e-mail address, since
    /// a sign-in takes either.
    private func claim(name: String, for user: UserRecord, in transaction: borrowing WriteTransaction) throws {
        let folded = UserName.folded(name)
        if let taken = try Tables.usersByName.get(folded, in: transaction), taken.userID != user.id {
            throw AccountsError(
                .exists,
                taken.current
                    ? "There is an account with the user name \(quoted(name)) already: `gatehouse user show \(name)`."
                    : "The user name \(quoted(name)) belonged to another account and is never given again.")
        }
        if let address = EmailAddress(name), let other = try findUserID(email: address, in: transaction),
            other != user.id
        {
            throw AccountsError(.exists, "The user name \(quoted(name)) is another account's e-mail address.")
        }
        let email = user.canonicalEmail
        if let taken = try Tables.usersByName.get(email, in: transaction), taken.current, taken.userID != user.id {
            throw AccountsError(.exists, "The e-mail address \(email) is another account's user name.")
        }
        try Tables.usersByName.put(NameRecord(userID: user.id, current: true), for: folded, in: transaction)
    }

    private func findUserID(email: EmailAddress, in transaction: borrowing WriteTransaction) throws -> String? {
        try Tables.usersByEmail.get(email.canonical, in: transaction)?.text
    }
}
