public import Core
internal import LMDB
public import Logging
internal import Synchronization

/// What became of a refresh at the provider.
public enum TokenRenewal: Sendable {
    case renewed(GrantedTokens)
    /// There is a new refresh token, but no access token that may be handed on: what came with it could not be checked.
    /// In words for the log, without a credential.
    case withheld(SecretBytes, String)
    /// The provider will never give one again. In words for the audit.
    case ended(String)
    /// Not this time. In words for the log, without a credential.
    case failed(String)
    /// Nobody was there, whoever's token it had been. In words for the log, without a credential.
    case unavailable(String)
}

/// Refreshes access tokens: one refresh a session at a time, whichever loop wants it, few at once at a provider, and none
/// for a while after one that failed. One a process.
///
/// ```
///   a request ─► refresh ─┬─ one is under way ──────────► waits for that one
///                         ├─ the session's last failed, or its provider was not there just now
///                         │                             ► goes on with what there is
///                         ├─ the provider has enough to do ► stands in its line
///                         └─ begins ─► provider ─► kept (with a changed refresh token, in one transaction) ─► wakes all
/// ```
public final class ProviderTokenRefresher: Sendable {
    /// Asks the provider; nil where it is not configured any more.
    public typealias Renew =
        @Sendable (_ provider: TokenProvider, _ refresh: SecretBytes, _ subject: String) async -> TokenRenewal?

    private struct State {
        var flights: [String: Flight] = [:]
        var lanes: [TokenProvider: RefreshLane] = [:]
        var pauses: [String: RefreshPause] = [:]
        var isStopped = false
        /// Of the flight that begins next.
        var number: UInt64 = 0
        /// Called when the last flight has ended.
        var ended: [CheckedContinuation<Void, Never>] = []
    }

    private struct Flight {
        let number: UInt64
        var waiting: [@Sendable () -> Void] = []
    }

    private enum Outcome {
        case done, failed, unavailable
    }

    /// How many are asked for at one provider at once. Whatever sends them must have more places than that, or one that
    /// hangs keeps all others waiting.
    public static let flightsOfProvider = 3
    /// How many may be under way or stand in line; requests beyond them go on with what there is.
    static let maximumFlights = 256
    /// How many failures are remembered.
    static let maximumPauses = 16_384

    private let store: Store
    private let log: Logger
    private let renew: Renew
    private let state = Mutex(State())

    /// - Parameter renew: bounded in time.
    public init(store: Store, log: Logger, renew: @escaping Renew) {
        self.store = store
        self.log = log
        self.renew = renew
    }

    /// Refreshes the tokens of a session, or joins whoever does already.
    ///
    /// - Returns: nil: not now.
    func refresh(_ session: String, by provider: TokenProvider, at now: Timestamp) -> PendingReading? {
        let number: UInt64? = state.withLock { state in
            if let flight = state.flights[session] { return flight.number }
            guard !state.isStopped, state.flights.count < Self.maximumFlights,
                state.pauses[session]?.holds(at: now) != true,
                let entry = state.lanes[provider, default: RefreshLane(width: Self.flightsOfProvider)]
                    .enter(session, at: now)
            else { return nil }
            state.number &+= 1
            state.flights[session] = Flight(number: state.number)
            if case .begins = entry { begin(session, provider) }
            return state.number
        }
        return number.map { landing(of: session, $0) }
    }

    /// The refresh of a session that is under way or stands in line.
    func underWay(_ session: String) -> PendingReading? {
        state.withLock { $0.flights[session]?.number }.map { landing(of: session, $0) }
    }

    private func landing(of session: String, _ number: UInt64) -> PendingReading {
        PendingReading { [self] wake in
            let waits = state.withLock { state in
                guard state.flights[session]?.number == number else { return false }
                state.flights[session]?.waiting.append(wake)
                return true
            }
            if !waits { wake() }
        }
    }

    /// Begins no more, and waits for those under way: a refresh token that the provider has changed is not lost. Those
    /// that stand in line have sent nothing yet.
    ///
    /// - Parameter limit: then it returns whatever is still under way.
    public func stop(waiting limit: Duration) async {
        let waiting = state.withLock { state in
            state.isStopped = true
            let queued = state.lanes.keys.flatMap { state.lanes[$0]?.clear() ?? [] }
            return queued.flatMap { state.flights.removeValue(forKey: $0)?.waiting ?? [] }
        }
        for wake in waiting { wake() }
        let timer = Task { [self] in
            try? await Task.sleep(for: limit)
            endWaiting(all: true)
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.flights.isEmpty { state.ended.append(continuation) }
                return state.flights.isEmpty
            }
            if isOver { continuation.resume() }
        }
        timer.cancel()
        let left = state.withLock { $0.flights.count }
        guard left > 0 else { return }
        log.warning("tokens are still being refreshed; what comes is lost", metadata: ["sessions": "\(left)"])
    }

    private func endWaiting(all: Bool) {
        let ended = state.withLock { state in
            guard all || state.flights.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.ended = [] }
            return state.ended
        }
        for continuation in ended { continuation.resume() }
    }

    private func begin(_ session: String, _ provider: TokenProvider) {
        Task { await self.fly(session, provider) }
    }

    private func fly(_ session: String, _ provider: TokenProvider) async {
        var outcome = Outcome.failed
        do {
            outcome = try await run(session)
        } catch {
            log.error(
                "the refreshed tokens of a session could not be kept",
                metadata: ["session": "\(session)", "error": "\(error)"])
        }
        let now = store.clock.now()
        let waiting = state.withLock { state in
            switch outcome {
            case .done: state.pauses[session] = nil
            case .failed:
                if state.pauses.count >= Self.maximumPauses { state.pauses.removeAll() }
                state.pauses[session, default: RefreshPause()].failed(at: now)
            case .unavailable: break
            }
            var waiting = state.flights.removeValue(forKey: session)?.waiting ?? []
            switch state.lanes[provider]?.leave(wasThere: outcome != .unavailable, at: now) {
            case .begins(let next): begin(next, provider)
            case .sentAway(let others):
                for other in others { waiting += state.flights.removeValue(forKey: other)?.waiting ?? [] }
            case .idle: state.lanes[provider] = nil
            case .nothing, nil: break
            }
            return waiting
        }
        for wake in waiting { wake() }
        endWaiting(all: false)
    }

    private func run(_ session: String) async throws -> Outcome {
        let store = store
        let known = try store.read { transaction in try Tables.providerTokens.get(session, in: transaction) }
        // Another flight has ended since this was asked for, or the session has.
        guard let known, known.schedule.state(at: store.clock.now()) != .fresh else { return .done }
        let held = try store.open(known, session: session)
        guard let refresh = held.refresh else { return .done }
        let about: Logger.Metadata = ["provider": "\(known.provider)", "session": "\(session)"]
        switch await renew(known.by, refresh, known.subject) {
        case .renewed(let tokens):
            // One that gives no new refresh token leaves the old one good.
            let kept = GrantedTokens(
                access: tokens.access, refresh: tokens.refresh ?? refresh, expiresAt: tokens.expiresAt,
                client: known.by.client)
            try await store.replace(known, of: session, by: kept)
            log.debug("the tokens of a session were refreshed", metadata: about)
            // One that is over at once is not asked for again and again.
            return kept.expiresAt.map { $0 > store.clock.now() } ?? true ? .done : .failed
        case .withheld(let next, let why):
            let kept = GrantedTokens(
                access: held.access, refresh: next, expiresAt: known.expiresAt, client: known.by.client)
            try await store.replace(known, of: session, by: kept)
            log.warning(
                "the new access token of a session is not used: what came with it could not be checked",
                metadata: about.merging(["error": "\(why)"]) { $1 })
            return .failed
        case .ended(let why):
            try await store.drop(known, of: session, why: why)
            log.notice(
                "a provider does not refresh the tokens of a session any more",
                metadata: about.merging(["error": "\(why)"]) { $1 })
            return .done
        case .failed(let why):
            log.warning(
                "the tokens of a session could not be refreshed", metadata: about.merging(["error": "\(why)"]) { $1 })
            return .failed
        case .unavailable(let why):
            log.warning(
                "the tokens of a session could not be refreshed", metadata: about.merging(["error": "\(why)"]) { $1 })
            return .unavailable
        case nil:
            return .failed
        }
    }
}

extension Store {
    /// Puts new tokens in the place of `known`, unless the session has ended or got others in the meantime.
    fileprivate func replace(
        _ known: ProviderTokensRecord, of id: String, by tokens: GrantedTokens
    ) async throws(AccountsError) {
        let now = clock.now()
        try await writing { transaction in
            guard try Tables.providerTokens.get(id, in: transaction)?.isSameGrant(as: known) == true else { return }
            guard let session = try Tables.sessions.get(id, in: transaction),
                let user = try Tables.users.get(known.userID, in: transaction), session.isAlive(for: user, at: now)
            else {
                try Tables.providerTokens.delete(id, in: transaction)
                return
            }
            try self.keep(
                HeldTokens(tokens, replacing: known), for: session, of: user,
                by: AuditActor("provider:\(known.provider)"), at: now, in: transaction)
        }
    }

    fileprivate func drop(
        _ known: ProviderTokensRecord, of id: String, why: String
    ) async throws(AccountsError) {
        let now = clock.now()
        try await writing { transaction in
            guard try Tables.providerTokens.get(id, in: transaction)?.isSameGrant(as: known) == true else { return }
            try Tables.providerTokens.delete(id, in: transaction)
            try self.noteDropped(
                id, provider: known.provider, user: try Tables.users.get(known.userID, in: transaction), why: why,
                by: AuditActor("provider:\(known.provider)"), at: now, in: transaction)
        }
    }
}
