internal import Core
internal import JOSE

/// What a provider says of itself, looked at as a sign-in would (`gatehouse provider check`).
public struct ProviderExamination: Sendable, Equatable {
    public var authorizationEndpoint: String
    public var tokenEndpoint: String
    public var userInfoEndpoint: String?
    public var endSessionEndpoint: String?
    /// How many keys of it can be used; nil: it signs nothing.
    public var keys: Int?
    /// Its answers say whose they are (RFC 9207).
    public var namesIssuer: Bool
    /// What was looked at. Empty: it says nothing of itself, so that nobody was asked anything.
    public var checked: [Part]

    public enum Part: String, Sendable, Encodable {
        /// Its discovery document.
        case metadata
        /// The keys that it signs with.
        case keys
        /// The operator's key makes a client secret. Whether the provider takes it, only a sign-in shows.
        case clientSecret = "client_secret"
    }
}

extension Provider {
    /// Fetches the metadata and the keys, where there are any, and makes a client secret where it is made here. Nobody
    /// is signed in, and no secret is sent.
    public func examine() async throws(FlowFailure) -> ProviderExamination {
        var checked: [ProviderExamination.Part] = []
        if configuration.kind == .apple {
            _ = try configurationWithSecret()
            checked.append(.clientSecret)
        }
        let metadata = try await source.metadata()
        var count: Int?
        if configuration.kind.speaksOpenIDConnect {
            do {
                count = try await KeySetFetch(issuer: keys.configuration, fetcher: fetcher).run().keys.keys.count
            } catch {
                throw FlowFailure(.unavailable, "the provider's keys could not be fetched: \(error)")
            }
            checked += [.metadata, .keys]
        }
        return ProviderExamination(
            authorizationEndpoint: metadata.authorizationEndpoint, tokenEndpoint: metadata.tokenEndpoint,
            userInfoEndpoint: metadata.userInfoEndpoint, endSessionEndpoint: metadata.endSessionEndpoint, keys: count,
            namesIssuer: metadata.namesIssuer, checked: checked)
    }
}
