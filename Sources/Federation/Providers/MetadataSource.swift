internal import Core
internal import JOSE

/// A provider's metadata, fetched by whoever needs it first; the others wait for the same fetch.
actor MetadataSource {
    static let age: Duration = .seconds(3600)
    /// How long a failure answers for those who come right behind.
    static let pause: Duration = .seconds(2)

    private let configuration: ProviderConfiguration
    private let fetcher: any HTTPFetching
    private let clock: any WallClock
    private var known: (metadata: ProviderMetadata, until: Timestamp)?
    private var failed: (failure: FlowFailure, until: Timestamp)?
    private var running: Task<Result<ProviderMetadata, FlowFailure>, Never>?

    init(_ configuration: ProviderConfiguration, fetcher: any HTTPFetching, clock: any WallClock) {
        self.configuration = configuration
        self.fetcher = fetcher
        self.clock = clock
    }

    func metadata() async throws(FlowFailure) -> ProviderMetadata {
        switch configuration.kind {
        case .github: return ProviderMetadata(gitHub: configuration.issuer)
        case .oauth2:
            guard let written = configuration.oauth2 else {
                throw FlowFailure(.badMetadata, "the provider has no endpoints")
            }
            return ProviderMetadata(written, issuer: configuration.issuer)
        case .google, .gitlab, .microsoft, .apple, .oidc: break
        }
        let now = clock.now()
        if let known, known.until > now, known.until <= now + Self.age { return known.metadata }
        if let failed, failed.until > now, failed.until <= now + Self.pause { throw failed.failure }
        let task = running ?? Task { await fetch() }
        running = task
        let result = await task.value
        return try result.get()
    }

    private func fetch() async -> Result<ProviderMetadata, FlowFailure> {
        let result = await discover()
        running = nil
        switch result {
        case .success(let metadata):
            known = (metadata, clock.now() + Self.age)
            failed = nil
        case .failure(let failure): failed = (failure, clock.now() + Self.pause)
        }
        return result
    }

    private nonisolated func discover() async -> Result<ProviderMetadata, FlowFailure> {
        let issuer = configuration.issuer
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let response: FetchResponse
        do {
            response = try await fetcher.fetch(
                FetchRequest(
                    url: base + "/.well-known/openid-configuration", headers: [("Accept", "application/json")],
                    timeout: Provider.timeout, maximumBodyBytes: ProviderMetadata.maximumBytes))
        } catch {
            return .failure(FlowFailure(.unavailable, "the discovery document could not be fetched: \(error)"))
        }
        guard response.status == 200 else {
            return .failure(
                FlowFailure(.unavailable, "the discovery document's address answered \(response.status)"))
        }
        do throws(FlowFailure) {
            return .success(try ProviderMetadata(discovered: response.body, issuer: issuer))
        } catch {
            return .failure(error)
        }
    }
}
