internal import Core
internal import Synchronization

/// Work that costs memory and time, for those who can wait: some threads at the lowest priority, and a queue that is
/// bounded by how long its last member would wait, and by its length. Up to there everybody is worked for; who comes
/// then is told at once how long to stay away, unless another place has more in the queue: that gives way. Whoever has
/// gone away is not worked for.
///
/// ```
///   run ──▶ refused: busy(retryAfter)         the wait is too long, or the queue too long
///       ──▶ waiting ──▶ running ──▶ answered
///                  ├──▶ cancelled             the slot is free at once
///                  └──▶ refused               gave way to another place, or waited far too long
/// ```
final class HashQueue: Sendable {
    /// The bounds.
    struct Limits: Sendable {
        var threads: Int
        /// How many may wait: bounds memory.
        var length: Int
        /// How long the last of them may have to wait.
        var wait: Duration

        /// Who comes in turns may wait longer than was thought; so long, and nobody is there any more.
        var longestWait: Duration { wait * 3 }
    }

    /// The queue takes no more now.
    struct Busy: Error {
        var retryAfter: Duration
    }

    private struct Waiter {
        let work: @Sendable () -> Void
        let refuse: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting = HashLine<Waiter>()
        var running = 0
        var nextID: UInt64 = 0
        /// How long a run takes, lately.
        var cost: Duration = .milliseconds(30)
        var stopped = false

        /// How long as many take.
        func time(of count: Int, _ limits: Limits) -> Duration { cost * (count / limits.threads) }
    }

    private let limits: Limits
    private let pool: WorkerPool
    private let state = Mutex(State())

    init(_ limits: Limits) {
        self.limits = limits
        // A thread is asked for once for each run that may be going on; that never fills the pool's own queue.
        pool = WorkerPool(name: "gh-hash", threads: limits.threads, capacity: limits.threads * 2, niceness: 19)
    }

    /// How many wait, and how many are worked for.
    var depth: (waiting: Int, running: Int) { state.withLock { ($0.waiting.count, $0.running) } }

    /// Runs `work` on one of the threads.
    ///
    /// - Parameter place: for whom; places take turns.
    /// - Throws: ``Busy``, `CancellationError`, or what `work` throws.
    func run<Value: Sendable>(
        for place: String = "", _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let ticket = Ticket(of: place)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = enter(
                    ticket, work: { continuation.resume(with: Result { try work() }) },
                    refuse: { continuation.resume(throwing: $0) })
                if let outcome { continuation.resume(throwing: outcome) }
            }
        } onCancel: {
            leave(ticket)
        }
    }

    /// Takes no more, answers those who wait with ``Busy``, and returns when the threads have ended.
    func stop() {
        let left = state.withLock { state in
            state.stopped = true
            return state.waiting.removeAll()
        }
        for waiter in left { waiter.refuse(Busy(retryAfter: .seconds(1))) }
        pool.stop()
    }

    /// The place of one caller: numbered when it is taken, and marked when it was given up before.
    private final class Ticket: Sendable {
        struct State {
            var id: UInt64?
            var isGivenUp = false
        }
        let place: String
        let state = Mutex(State())

        init(of place: String) {
            self.place = place
        }
    }

    /// - Returns: why the caller cannot wait; nil when it does.
    private func enter(
        _ ticket: Ticket, work: @escaping @Sendable () -> Void,
        refuse: @escaping @Sendable (any Error) -> Void
    ) -> (any Error)? {
        var displaced: Waiter?
        let now = ContinuousClock.now
        let (refusal, needsThread) = state.withLock { state -> ((any Error)?, Bool) in
            if state.stopped { return (Busy(retryAfter: .seconds(1)), false) }
            let wait = state.time(of: state.waiting.count, limits)
            if state.waiting.count >= limits.length || wait > limits.wait {
                displaced = state.waiting.makeRoom(for: ticket.place)
                if displaced == nil { return (busy(state), false) }
            }
            let id = state.nextID
            let isGivenUp = ticket.state.withLock { ticket in
                ticket.id = id
                return ticket.isGivenUp
            }
            if isGivenUp { return (CancellationError(), false) }
            state.nextID += 1
            state.waiting.append(Waiter(work: work, refuse: refuse), id: id, from: ticket.place, at: now)
            guard state.running < limits.threads else { return (nil, false) }
            state.running += 1
            return (nil, true)
        }
        displaced?.refuse(state.withLock { busy($0) })
        if needsThread, !pool.submit({ self.workOff() }) {
            // Only a pool that was stopped in between refuses; `stop` has answered or will answer everybody.
            state.withLock { $0.running -= 1 }
        }
        return refusal
    }

    /// When those who wait now will have been worked for.
    private func busy(_ state: State) -> Busy {
        Busy(retryAfter: max(.seconds(1), state.time(of: state.waiting.count, limits)))
    }

    private func leave(_ ticket: Ticket) {
        let id = ticket.state.withLock { ticket in
            ticket.isGivenUp = true
            return ticket.id
        }
        guard let id else { return }
        let waiter = state.withLock { $0.waiting.remove(id, from: ticket.place) }
        waiter?.refuse(CancellationError())
    }

    private func workOff() {
        while true {
            let start = ContinuousClock.now
            var late: [Waiter] = []
            let (next, refusal) = state.withLock { state -> (Waiter?, Busy) in
                let next = state.waiting.next(notBefore: start - limits.longestWait) { late.append($0) }
                if next == nil { state.running -= 1 }
                return (next, busy(state))
            }
            for waiter in late { waiter.refuse(refusal) }
            guard let next else { return }
            next.work()
            let cost = ContinuousClock.now - start
            state.withLock { $0.cost = ($0.cost * 7 + cost) / 8 }
        }
    }
}
