internal import Core
internal import LMDB

extension Store {
    /// Notes that a link was followed that had gone to `email`: others of its kind are of no more use.
    ///
    /// - Throws: `invalidToken` when the account has another address by now.
    func verify(
        _ user: UserRecord, _ email: String, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        guard user.canonicalEmail == email else { throw AccountsError.invalidLink }
        try removeLinks(of: user.id, purposes: [.verifyEmail, .invitation], at: now, in: transaction)
    }
}
