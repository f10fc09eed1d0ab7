public import Core
internal import LMDB
public import Logging
internal import Synchronization

/// What became of a refresh at the provider.
public enum TokenRenewal: Sendable {
    case renewed(GrantedTokens)
    /// The provider will never give one again. In words for the audit.
    case ended(String)
    /// Not this time. In words for the log, without a credential.
    case failed(String)
}

/// Refreshes access tokens: one refresh a session at a time, whichever loop wants it, and none for a while after one
/// that failed. One a process.
///
/// ```
///   a request ─► refresh ─┬─ one is under way ──────► waits for that one
///                         ├─ the last failed just now ► goes on with what there is
///                         └─ begins ─► provider ─► kept (with a changed refresh token, in one transaction) ─► wakes all
/// ```
public final class ProviderTokenRefresher: Sendable {
    /// Asks the provider; nil where it is not configured any more.
    public typealias Renew =
        @Sendable (_ provider: TokenProvider, _ refresh: SecretBytes, _ subject: String) async -> TokenRenewal?

    private struct State {
        var flights: [String: Flight] = [:]
        var pauses: [String: RefreshPause] = [:]
        var isStopped = false
        /// Of the flight that begins next.
        var number: UInt64 = 0
    }

    private struct Flight {
        let number: UInt64
        let task: Task<Void, Never>
        var waiting: [@Sendable () -> Void] = []
    }

    /// How many may be under way; requests beyond them go on with what there is.
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
    func refresh(_ session: String, at now: Timestamp) -> PendingReading? {
        let number: UInt64? = state.withLock { state in
            if let flight = state.flights[session] { return flight.number }
            guard !state.isStopped, state.flights.count < Self.maximumFlights,
                state.pauses[session]?.holds(at: now) != true
            else { return nil }
            state.number &+= 1
            let number = state.number
            let task = Task { await self.fly(session, number) }
            state.flights[session] = Flight(number: number, task: task)
            return number
        }
        guard let number else { return nil }
        return PendingReading { [self] wake in
            let waits = state.withLock { state in
                guard state.flights[session]?.number == number else { return false }
                state.flights[session]?.waiting.append(wake)
                return true
            }
            if !waits { wake() }
        }
    }

    /// Begins no more, and waits for those under way: a refresh token that the provider has changed is not lost.
    public func stop() async {
        let tasks = state.withLock { state in
            state.isStopped = true
            return state.flights.values.map(\.task)
        }
        for task in tasks { await task.value }
    }

    private func fly(_ session: String, _ number: UInt64) async {
        var succeeded = false
        do {
            succeeded = try await run(session)
        } catch {
            log.error(
                "the refreshed tokens of a session could not be kept",
                metadata: ["session": "\(session)", "error": "\(error)"])
        }
        let now = store.clock.now()
        let waiting = state.withLock { state in
            if succeeded {
                state.pauses[session] = nil
            } else {
                if state.pauses.count >= Self.maximumPauses { state.pauses.removeAll() }
                state.pauses[session, default: RefreshPause()].failed(at: now)
            }
            return state.flights.removeValue(forKey: session)?.waiting ?? []
        }
        for wake in waiting { wake() }
    }

    /// - Returns: whether there is nothing to be tried again.
    private func run(_ session: String) async throws -> Bool {
        let store = store
        let known = try store.read { transaction in try Tables.providerTokens.get(session, in: transaction) }
        // Another flight has ended since this was asked for, or the session has.
        guard let known, known.schedule.state(at: store.clock.now()) != .fresh else { return true }
        guard let refresh = try store.open(known, session: session).refresh else { return true }
        let provider = TokenProvider(id: known.provider, issuer: known.issuer)
        switch await renew(provider, refresh, known.subject) {
        case .renewed(let tokens):
            // One that gives no new refresh token leaves the old one good.
            let kept = GrantedTokens(
                access: tokens.access, refresh: tokens.refresh ?? refresh, expiresAt: tokens.expiresAt)
            try await store.replace(known, of: session, by: kept)
            log.debug(
                "the tokens of a session were refreshed",
                metadata: ["provider": "\(known.provider)", "session": "\(session)"])
            // One that is over at once is not asked for again and again.
            return kept.expiresAt.map { $0 > store.clock.now() } ?? true
        case .ended(let why):
            try await store.drop(known, of: session, why: why)
            log.notice(
                "a provider does not refresh the tokens of a session any more",
                metadata: ["provider": "\(known.provider)", "session": "\(session)", "error": "\(why)"])
            return true
        case .failed(let why):
            log.warning(
                "the tokens of a session could not be refreshed",
                metadata: ["provider": "\(known.provider)", "session": "\(session)", "error": "\(why)"])
            return false
        case nil:
            return false
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
