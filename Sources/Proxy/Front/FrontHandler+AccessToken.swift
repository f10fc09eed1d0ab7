import Core
import NIOCore
import Policy

/// The provider's access token, for routes with `forward_access_token`. Others never come here.
extension FrontHandler {
    /// How long a request waits for a token to be refreshed; then it goes on with what there is.
    private static let tokenPatience = TimeAmount.seconds(10)
    /// The same for a check: the proxy that asks must not give up first, and the snippets' limits are five
    /// seconds.
    private static let tokenPatienceOfChecks = TimeAmount.milliseconds(1500)

    /// Whether the exchange waits for a token that is being refreshed. It does so once, and its head is judged anew
    /// behind that: meanwhile the session may have ended.
    func waitsForToken(_ state: CredentialState, _ route: Route, _ incoming: borrowing Incoming) -> Bool {
        guard !incoming.waited, case .identity(let identity) = state else { return false }
        guard case .pending(let pending)? = token(of: identity, route, mayWait: true, at: incoming.now) else {
            return false
        }
        waitFor(pending, atMost: current.shape == .check ? Self.tokenPatienceOfChecks : Self.tokenPatience)
        return true
    }

    /// The header line: always there, so that nothing a client sent under its name can survive.
    func accessTokenLine(_ identity: Identity?, _ route: Route, at now: Timestamp) -> [UInt8] {
        guard let identity, case .token(let token)? = token(of: identity, route, mayWait: false, at: now) else {
            return IdentityHeaders.accessTokenLine(nil)
        }
        return IdentityHeaders.accessTokenLine(token)
    }

    private func token(
        of identity: Identity, _ route: Route, mayWait: Bool, at now: Timestamp
    ) -> ProviderTokenReading? {
        loop.context.providerTokens?.token(
            of: identity, from: site.routes[route.index].parameters.tokenProviders, mayWait: mayWait, at: now)
    }
}
