internal import Core
internal import LMDB

extension Store {
    /// Notes that a link was followed that had gone to `email`. The password of an account that was unverified goes:
    /// somebody else may have chosen it.
    ///
    /// - Parameter user: changed, and stored.
    func verify(
        _ user: inout UserRecord, _ email: String, from client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
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
            by: client.actor(user.username), at: now, in: transaction)
    }
}
