internal import Core
internal import LMDB

extension AccountOperations {
    /// How long ago a person may have proved who they are for what could take the account away from its owner: a cookie
    /// that somebody found open must not be enough.
    static let freshness = Duration.seconds(300)

    /// Whether the asker has proved who they are just now.
    ///
    /// - Throws: `invalidToken` when the session is over.
    public func isFresh(_ principal: Principal) throws(AccountsError) -> Bool {
        let store = store
        let now = now
        return try store.read { transaction in
            try store.require(principal, at: now, in: transaction).session.isFresh(at: now)
        }
    }
}

extension SessionRecord {
    /// The person behind it has proved who they are just now.
    func isFresh(at now: Timestamp) -> Bool {
        guard let authenticatedAt else { return false }
        let age = now - authenticatedAt
        // A clock that was set back makes nobody fresh for longer.
        return age <= AccountOperations.freshness && age >= .zero - AccountOperations.freshness
    }

    /// - Throws: `reauthenticationRequired`.
    func requireFresh(at now: Timestamp) throws(AccountsError) {
        guard isFresh(at: now) else {
            throw AccountsError(
                .reauthenticationRequired, "Confirm who you are first: this wants a sign-in of the last minutes.")
        }
    }
}
