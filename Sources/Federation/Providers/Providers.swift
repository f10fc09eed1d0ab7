public import Core
public import Logging

/// All configured providers, in their order. One value a configuration; a reload makes a new one, in which a provider
/// that is configured as before stays with what is known of it.
public final class Providers: Sendable {
    public let all: [Provider]

    /// - Parameters:
    ///   - old: what a reload replaces.
    ///   - renewing: renews tokens, apart from what people wait for; nil: `fetcher` does.
    public init(
        _ configurations: [ProviderConfiguration], replacing old: Providers? = nil, fetcher: any HTTPFetching,
        renewing: (any HTTPFetching)? = nil, clock: any WallClock, log: Logger
    ) {
        all = configurations.map { configuration in
            old?.all.first { $0.configuration.isSame(as: configuration) }
                ?? Provider(configuration, fetcher: fetcher, renewing: renewing, clock: clock, log: log)
        }
    }

    /// The provider of that id.
    public func provider(_ id: String) -> Provider? { all.first { $0.configuration.id == id } }
}
