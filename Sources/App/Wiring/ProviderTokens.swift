internal import Accounts
internal import Core
internal import Federation
internal import Logging

extension InForceBox {
    /// Where the accounts, which keep tokens, meet the providers, which renew them: those that are configured when it
    /// happens, whatever has been reloaded in the meantime.
    func tokenRefresher(store: Store, log: Logger) -> ProviderTokenRefresher {
        ProviderTokenRefresher(store: store, log: log) { [self] wanted, token, subject in
            guard let provider = value.providers.provider(wanted.id),
                provider.configuration.issuer == wanted.issuer, provider.configuration.client == wanted.client,
                provider.configuration.keepsTokens
            else { return nil }
            do throws(RefreshFailure) {
                return .renewed(try await provider.refresh(token, of: subject))
            } catch {
                switch error {
                case .ended(let why): return .ended(why)
                case .failed(let why): return .failed(why)
                case .unavailable(let why): return .unavailable(why)
                case .withheld(let refresh, let why): return .withheld(refresh, why)
                }
            }
        }
    }
}
