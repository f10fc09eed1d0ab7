public import Core
internal import LMDB

/// A person at their own account: by the portal's cookie, or by an access token of a sign-in of theirs. The cookie that
/// apps see, the operator's tokens, keys and foreign tokens never make one.
public struct Principal: Sendable, Equatable {
    /// The user's id.
    public let userID: String
    /// The session that is used.
    public let session: String
    /// By a cookie, so that a write needs a proof of the same origin.
    public let usesCookie: Bool
}

extension AccountOperations {
    /// Who may change an account, out of what the front has resolved. The session is looked at again in the
    /// transaction of each operation.
    ///
    /// - Throws: `invalidToken` for nobody, `refused` for a credential that cannot change an account.
    public func principal(_ identity: Identity?) throws(AccountsError) -> Principal {
        guard let identity else { throw AccountsError(.invalidToken, "This needs a sign-in.") }
        let principal: Principal
        switch identity.origin {
        case .session(let origin) where origin.plane == .portal:
            principal = Principal(userID: origin.subject, session: origin.session, usesCookie: true)
        case .accessToken(let token):
            principal = Principal(userID: token.subject, session: token.session, usesCookie: false)
        case .session, .apiKey, .foreign, nil:
            throw AccountsError(.refused, "This credential cannot see or change an account: sign in.")
        }
        let store = store
        let now = now
        try store.read { transaction in _ = try store.require(principal, at: now, in: transaction) }
        return principal
    }

    /// Counts a change that a signed-in person makes, wherever they are.
    ///
    /// - Parameter event: what the audit log calls it.
    /// - Throws: `rateLimited`.
    func takeChange(
        of principal: Principal, as event: AuditEventType, from client: Client, at now: Timestamp
    ) throws(AccountsError) {
        try limiter.take(
            .changes, of: principal.userID, by: principal.userID, as: event, from: client, configuration.limits, at: now
        )
    }
}

extension Store {
    /// The account and the session of a principal, as they are now.
    ///
    /// - Throws: `invalidToken` when the session is over, `refused` for one that the operator has made.
    func require(
        _ principal: Principal, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (user: UserRecord, session: SessionRecord) {
        guard let user = try Tables.users.get(principal.userID, in: transaction),
            let session = try Tables.sessions.get(principal.session, in: transaction),
            session.isAlive(for: user, at: now), try !isShutOut(user, in: transaction)
        else { throw AccountsError(.invalidToken, "The session is over: sign in again.") }
        guard session.isSignIn, principal.usesCookie == (session.kind == .browser) else {
            throw AccountsError(.refused, "A token of the operator's is for app routes only: sign in.")
        }
        return (user, session)
    }
}
