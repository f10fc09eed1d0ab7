internal import LMDB

/// What becomes of a code by which an API client comes for its tokens.
public enum SignInCodeEvent: Sendable, Equatable {
    /// The person was given it.
    case issued
    /// The client that began has come with it; whether that signs anybody in is written down by itself.
    case redeemed
    /// Somebody has come with it who did not begin, or too late. With a word for why.
    case refused(String)
}

extension AccountOperations {
    /// Writes down what becomes of a code.
    ///
    /// - Parameter identity: whom the provider has brought for it.
    public func noteSignInCode(
        _ what: SignInCodeEvent, of identity: FederatedIdentity, from client: Client
    ) async throws(AccountsError) {
        let now = now
        let store = store
        try await store.writing { transaction -> Void in
            let link = try Tables.socialAccounts.get(identity.key, in: transaction)
            let user = try link.flatMap { try Tables.users.get($0.userID, in: transaction) }
            var event = NewAuditEvent(
                what == .issued ? .signInCodeIssued : .signInCodeRedeemed, user: user?.username, userID: user?.id,
                metadata: identity.metadata)
            if case .refused(let reason) = what {
                event.success = false
                event.reason = reason
            }
            try store.append(event, by: client.actor(user?.username ?? "anonymous"), at: now, in: transaction)
        }
    }
}
