internal import Core
internal import JOSE
internal import Logging
internal import Synchronization

/// The current keys of one issuer, shared by all loops. Keys that were fetched once stay while the issuer is down.
final class IssuerKeys: Sendable {
    /// What a loop reads: an immutable set and the number of the change that brought it.
    struct Current: Sendable {
        var keys: JWKSet?
        /// Rises with each set that differs from the one before.
        var generation: UInt64
    }

    private struct State {
        var current = Current(keys: nil, generation: 0)
        var schedule = RefetchSchedule()
        var waiting: [@Sendable () -> Void] = []
    }

    let configuration: IssuerConfiguration
    private let fetch: KeySetFetch
    private let clock: any WallClock
    private let log: Logger
    private let state = Mutex(State())
    private let published = Atomic<UInt64>(0)

    /// - Parameter known: the same issuer before a reload that changed something else about it; its keys are taken
    ///   over, and when they are to be fetched again.
    init(
        _ configuration: IssuerConfiguration, keeping known: IssuerKeys? = nil, fetcher: any HTTPFetching,
        clock: any WallClock, log: Logger
    ) {
        self.configuration = configuration
        self.clock = clock
        self.log = log
        fetch = KeySetFetch(issuer: configuration, fetcher: fetcher)
        guard let known else { return }
        let (current, schedule) = known.state.withLock { ($0.current, $0.schedule.withoutFetch) }
        state.withLock { state in
            state.current = current
            state.schedule = schedule
        }
        published.store(current.generation, ordering: .releasing)
    }

    /// The keys of this issuer are those that `configuration` would have fetched.
    func hasSameKeys(as other: IssuerConfiguration) -> Bool {
        configuration.issuer == other.issuer && configuration.keys == other.keys
    }

    /// The generation alone, without a lock: what a cache entry is compared with in each request.
    var generation: UInt64 { published.load(ordering: .acquiring) }

    /// The set and its generation together.
    var current: Current { state.withLock { $0.current } }

    /// Fetches if it is time; returns when that fetch has ended, well or not.
    func refreshIfDue() async {
        guard state.withLock({ $0.schedule.beginIfDue(at: clock.now()) }) else { return }
        // In a task of its own: a reload cancels whoever asks, and the fetch is still wanted by the issuer's next life.
        await Task { await self.run() }.value
    }

    /// What a token of this issuer with an unknown key id waits for; nil when it is refused at once.
    ///
    /// - Parameter isVouchedFor: the token came from the issuer itself, and not from a stranger.
    func refetchForUnknownKey(at now: Timestamp, isVouchedFor: Bool = false) -> PendingReading? {
        switch state.withLock({ $0.schedule.keyIsUnknown(at: now, isVouchedFor: isVouchedFor) }) {
        case .refuse:
            return nil
        case .begin:
            Task { await self.run() }
        case .wait:
            break
        }
        return PendingReading { wake in
            let isOver = self.state.withLock { state in
                if state.schedule.isFetching { state.waiting.append(wake) }
                return !state.schedule.isFetching
            }
            if isOver { wake() }
        }
    }

    private func run() async {
        let result: Result<KeySetFetch.Outcome, any Error>
        do {
            result = .success(try await fetch.run())
        } catch {
            result = .failure(error)
        }
        let now = clock.now()
        let waiting = state.withLock { state in
            switch result {
            case .success(let outcome):
                state.schedule.succeeded(at: now, maximumAge: outcome.maximumAge)
                if !outcome.keys.hasSameKeys(as: state.current.keys) {
                    state.current = Current(keys: outcome.keys, generation: state.current.generation + 1)
                    published.store(state.current.generation, ordering: .releasing)
                }
            case .failure:
                state.schedule.failed(at: now, hasKeys: state.current.keys != nil)
            }
            defer { state.waiting = [] }
            return state.waiting
        }
        if case .failure(let error) = result {
            log.warning(
                "key set of an issuer could not be fetched; the keys of the last fetch stay",
                metadata: ["issuer": "\(configuration.id)", "error": "\(error)"])
        }
        for wake in waiting { wake() }
    }
}

extension JWKSet {
    fileprivate func hasSameKeys(as other: JWKSet?) -> Bool {
        guard let other, keys.count == other.keys.count else { return false }
        return zip(keys, other.keys).allSatisfy { $0.isSame(as: $1) }
    }
}
