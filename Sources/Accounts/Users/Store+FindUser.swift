internal import Core
internal import LMDB

extension Store {
    /// The account with that id, user name or e-mail address; a name that an account no longer has finds nothing.
    func find(
        user selector: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord? {
        // Longer ones would not fit into a key of the table.
        guard !selector.isEmpty, selector.utf8.count <= 254 else { return nil }
        if let user = try Tables.users.get(selector, in: transaction) { return user }
        if let name = try Tables.usersByName.get(UserName.folded(selector), in: transaction), name.current {
            return try Tables.users.get(name.userID, in: transaction)
        }
        guard let email = EmailAddress(selector) else { return nil }
        return try findUser(email: email, in: transaction)
    }

    func findUser(
        email: EmailAddress, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord? {
        guard let reference = try Tables.usersByEmail.get(email.canonical, in: transaction) else { return nil }
        return try Tables.users.get(reference.text, in: transaction)
    }

    /// As ``find(user:in:)``.
    ///
    /// - Throws: `notFound`.
    func require(
        user selector: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord {
        guard let user = try find(user: selector, in: transaction) else {
            throw AccountsError(
                .notFound, "There is no user \(quoted(selector)): `gatehouse user list` shows who there is.")
        }
        return user
    }

    /// Disabled, or its address is blocked.
    func isShutOut(
        _ user: UserRecord, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        if user.disabled { return true }
        let block = BlockSubject.emailText(user.canonicalEmail).key
        return try Tables.blocks.revision(of: block, in: transaction) != nil
    }

    /// All accounts, by id.
    public func users() throws(AccountsError) -> [User] {
        try read { transaction in
            var users: [User] = []
            try Tables.users.forEach(in: transaction) { _, user, _ in
                users.append(User(user))
                return true
            }
            return users
        }
    }

    /// The account with that id, user name or e-mail address.
    ///
    /// - Throws: `notFound`.
    public func user(_ selector: String) throws(AccountsError) -> User {
        try read { transaction in User(try self.require(user: selector, in: transaction)) }
    }
}
