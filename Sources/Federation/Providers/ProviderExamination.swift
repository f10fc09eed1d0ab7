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
}

extension Provider {
    /// Fetches the metadata and the keys. Nobody is signed in, and no secret is sent.
    public func examine() async throws(FlowFailure) -> ProviderExamination {
        let metadata = try await source.metadata()
        var count: Int?
        if configuration.kind.speaksOpenIDConnect {
            do {
                count = try await KeySetFetch(issuer: keys.configuration, fetcher: fetcher).run().keys.keys.count
            } catch {
                throw FlowFailure(.unavailable, "the provider's keys could not be fetched: \(error)")
            }
        }
        return ProviderExamination(
            authorizationEndpoint: metadata.authorizationEndpoint, tokenEndpoint: metadata.tokenEndpoint,
            userInfoEndpoint: metadata.userInfoEndpoint, endSessionEndpoint: metadata.endSessionEndpoint, keys: count,
            namesIssuer: metadata.namesIssuer)
    }
}
