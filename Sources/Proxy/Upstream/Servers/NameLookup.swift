import Core
import Synchronization

/// When a name is looked up, and what was found last. Shared by all loops.
final class NameLookup: Sendable {
    private struct State: Sendable {
        var addresses: [IPAddress] = []
        /// Why the last look-up found nothing.
        var problem: String?
        var endedAt: Int64?
        var isUnderWay = false
        var waiters: [@Sendable () -> Void] = []
    }

    /// What a look-up has changed.
    enum Change: Equatable {
        case none
        case addresses([IPAddress])
        /// Nothing was found, which was not so before.
        case failed(String)
        /// It works again and the addresses are those that were known.
        case recovered
    }

    /// How long an answer holds, how soon a failure is tried again, and how often a name is looked up at most.
    static let interval: Int64 = 30_000
    static let afterFailure: Int64 = 5_000
    static let pause: Int64 = 1_000

    let host: String
    /// Milliseconds of the monotonic clock; `.max` while it is under way.
    private let due: Atomic<Int64>
    private let state: Mutex<State>

    /// - Parameter known: addresses that were found before; looked up again at the first opportunity.
    init(_ host: String, known: [IPAddress] = []) {
        self.host = host
        due = Atomic(.min)
        state = Mutex(State(addresses: known))
    }

    var addresses: [IPAddress] { state.withLock { $0.addresses } }
    var problem: String? { state.withLock { $0.problem } }

    /// Cheap: asked on every tick of every loop.
    func isDue(_ now: Int64) -> Bool { due.load(ordering: .relaxed) <= now }

    /// - Returns: whether the caller has to look it up now.
    func begin(_ now: Int64) -> Bool {
        state.withLock { state in
            guard !state.isUnderWay, isDue(now) else { return false }
            state.isUnderWay = true
            due.store(.max, ordering: .relaxed)
            return true
        }
    }

    /// What was found may be wrong by now.
    func hasten(_ now: Int64) {
        state.withLock { state in
            guard !state.isUnderWay else { return }
            let soonest = state.endedAt.map { max(now, $0 + Self.pause) } ?? now
            due.store(min(due.load(ordering: .relaxed), soonest), ordering: .relaxed)
        }
    }

    /// Calls `then` when the next look-up has ended.
    ///
    /// - Returns: false when the last one is younger than the least pause; `then` is not called then.
    func wait(_ now: Int64, _ then: @escaping @Sendable () -> Void) -> Bool {
        hasten(now)
        return state.withLock { state in
            if !state.isUnderWay, let end = state.endedAt, now - end < Self.pause { return false }
            state.waiters.append(then)
            return true
        }
    }

    /// - Returns: what changed, and who waits for it.
    func end(_ found: Result<[IPAddress], NameResolutionError>, at now: Int64) -> (Change, [@Sendable () -> Void]) {
        state.withLock { state in
            state.isUnderWay = false
            state.endedAt = now
            let waiters = state.waiters
            state.waiters = []
            let hadProblem = state.problem != nil
            switch found {
            case .success(let addresses):
                state.problem = nil
                due.store(now + Self.interval, ordering: .relaxed)
                // The order says which is preferred, and name servers turn it round on purpose.
                guard Set(addresses) != Set(state.addresses) else { return (hadProblem ? .recovered : .none, waiters) }
                state.addresses = addresses
                return (.addresses(addresses), waiters)
            case .failure(let error):
                state.problem = error.message
                due.store(now + Self.afterFailure, ordering: .relaxed)
                return (hadProblem ? .none : .failed(error.message), waiters)
            }
        }
    }
}

/// Looks names up on threads of its own, which are made when the first name comes.
final class NameThreads: Sendable {
    private let resolver: any NameResolving
    private let pool = Mutex<WorkerPool?>(nil)
    private static let threads = 4
    private static let capacity = 1024

    init(_ resolver: any NameResolving) {
        self.resolver = resolver
    }

    /// Calls `then` on one of the threads, or at once if too many names wait.
    func lookUp(_ host: String, then: @escaping @Sendable (Result<[IPAddress], NameResolutionError>) -> Void) {
        let pool = pool.withLock { pool in
            if let pool { return pool }
            let made = WorkerPool(name: "gh-names", threads: Self.threads, capacity: Self.capacity)
            pool = made
            return made
        }
        let resolver = resolver
        let accepted = pool.submit {
            do throws(NameResolutionError) {
                then(.success(try resolver.addresses(of: host)))
            } catch {
                then(.failure(error))
            }
        }
        if !accepted { then(.failure(NameResolutionError("too many names are being looked up"))) }
    }

    /// Ends the threads as soon as the name servers let them; nobody waits for that.
    func stop() {
        guard let pool = pool.withLock({ $0 }) else { return }
        NamedThread.start(name: "gh-names-end") { pool.stop() }
    }
}
