internal import Core
internal import JOSE

/// Gets an issuer's key set from where its configuration says.
struct KeySetFetch: Sendable {
    /// A set with what its headers allowed.
    struct Outcome {
        let keys: JWKSet
        let maximumAge: Duration?
    }

    /// A key set that is larger is refused.
    static let maximumBytes = 256 * 1024

    let issuer: IssuerConfiguration
    let fetcher: any HTTPFetching

    /// - Throws: ``FetchError``, ``JOSEError`` or ``FederationError``; the caller keeps what it has.
    func run() async throws -> Outcome {
        switch issuer.keys {
        case .inline(let bytes):
            return Outcome(
                keys: try JWKSet(operatorConfigured: bytes.span, maximumBytes: Self.maximumBytes),
                maximumAge: RefetchSchedule.longestAge)
        case .url(let url):
            return try await fetchKeys(url)
        case .discovery:
            return try await fetchKeys(try await discoverKeysURL())
        }
    }

    private func fetchKeys(_ url: String) async throws -> Outcome {
        let response = try await get(url)
        let keys = try JWKSet(fetched: response.body.span, maximumBytes: Self.maximumBytes)
        guard !keys.keys.isEmpty else {
            throw FederationError(.unusableKeySet, "the key set at \(url) holds no key that can be used")
        }
        return Outcome(keys: keys, maximumAge: CacheLifetime.parse(response))
    }

    private func discoverKeysURL() async throws -> String {
        let base = issuer.issuer.hasSuffix("/") ? String(issuer.issuer.dropLast()) : issuer.issuer
        let response = try await get(base + "/.well-known/openid-configuration")
        let document = try JSONReader.parse(response.body, limits: JSONLimits(bytes: Self.maximumBytes))
        // Without this comparison one issuer's document could speak for another (OpenID Connect Discovery 4.3).
        guard document["issuer"]?.equals(issuer.issuer) == true else {
            throw FederationError(.wrongIssuer, "the discovery document names another issuer than \(issuer.issuer)")
        }
        guard let url = document["jwks_uri"]?.string else {
            throw FederationError(.unusableKeySet, "the discovery document of \(issuer.issuer) has no jwks_uri")
        }
        guard ProviderMetadata.isUsable(url, local: ProviderMetadata.isLoopback(issuer.issuer)) else {
            throw FederationError(
                .unusableKeySet, "the discovery document of \(issuer.issuer) has a jwks_uri that is not to be asked")
        }
        return url
    }

    private func get(_ url: String) async throws -> FetchResponse {
        let response = try await fetcher.fetch(
            FetchRequest(
                url: url, headers: [("Accept", "application/json")], timeout: .seconds(5),
                maximumBodyBytes: Self.maximumBytes))
        guard response.status == 200 else {
            throw FederationError(.unusableKeySet, "\(url) answered \(response.status)")
        }
        return response
    }
}

/// How long an answer may be kept (RFC 9111 section 4.2.1), as far as a key set needs it.
enum CacheLifetime {
    /// - Returns: nil when the headers say nothing.
    static func parse(_ response: FetchResponse) -> Duration? {
        for header in response.headers where header.name == "cache-control" {
            for directive in header.value.lowercased().split(separator: ",") {
                let words = directive.split(separator: "=", maxSplits: 1).map(Self.trimmed)
                if words == ["no-store"] || words == ["no-cache"] { return .zero }
                if words.count == 2, words[0] == "max-age", let seconds = Int64(words[1]), seconds >= 0 {
                    return .seconds(min(seconds, 86_400))
                }
            }
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.filter { $0 != " " && $0 != "\t" && $0 != "\"" })
    }
}
