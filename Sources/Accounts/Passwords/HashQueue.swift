internal import Core
internal import Synchronization

/// Work that costs memory and time, for those who can wait: some threads at the lowest priority, and a queue that is
/// bounded by its length and by how long its last member would wait. Whoever would wait longer is told so at once,
/// with how long to stay away; whoever has gone away is not worked for.
///
/// ```
///   run ──▶ refused: busy(retryAfter)         the queue is full, or the wait too long
///       ──▶ waiting ──▶ running ──▶ answered
///                  └──▶ cancelled             the slot is free at once
/// ```
final class HashQueue: Sendable {
    /// The bounds.
    struct Limits: Sendable {
        var threads: Int
        /// How many may wait.
        var length: Int
        /// How long the last of them may have to wait.
        var wait: Duration
    }

    /// The queue takes no more now.
    struct Busy: Error {
        var retryAfter: Duration
    }

    private struct Waiter {
        let id: UInt64
        let work: @Sendable () -> Void
        let refuse: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: [Waiter] = []
        var running = 0
        var nextID: UInt64 = 0
        /// How long a run takes, lately.
        var cost: Duration = .milliseconds(30)
        var stopped = false
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
    /// - Throws: ``Busy``, `CancellationError`, or what `work` throws.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let ticket = Ticket()
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
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in left { waiter.refuse(Busy(retryAfter: .seconds(1))) }
        pool.stop()
    }

    /// The place of one caller: numbered when it is taken, and marked when it was given up before.
    private final class Ticket: Sendable {
        struct Place {
            var id: UInt64?
            var isGivenUp = false
        }
        let place = Mutex(Place())
    }

    /// - Returns: why the caller cannot wait; nil when it does.
    private func enter(
        _ ticket: Ticket, work: @escaping @Sendable () -> Void,
        refuse: @escaping @Sendable (any Error) -> Void
    ) -> (any Error)? {
        let (refusal, needsThread) = state.withLock { state -> ((any Error)?, Bool) in
            if state.stopped { return (Busy(retryAfter: .seconds(1)), false) }
            let wait = state.cost * (state.waiting.count / limits.threads)
            if state.waiting.count >= limits.length || wait > limits.wait {
                return (Busy(retryAfter: max(.seconds(1), wait)), false)
            }
            let id = state.nextID
            let isGivenUp = ticket.place.withLock { place in
                place.id = id
                return place.isGivenUp
            }
            if isGivenUp { return (CancellationError(), false) }
            state.nextID += 1
            state.waiting.append(Waiter(id: id, work: work, refuse: refuse))
            guard state.running < limits.threads else { return (nil, false) }
            state.running += 1
            return (nil, true)
        }
        if needsThread, !pool.submit({ self.workOff() }) {
            // Only a pool that was stopped in between refuses; `stop` has answered or will answer everybody.
            state.withLock { $0.running -= 1 }
        }
        return refusal
    }

    private func leave(_ ticket: Ticket) {
        let id = ticket.place.withLock { place in
            place.isGivenUp = true
            return place.id
        }
        guard let id else { return }
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiting.remove(at: index)
        }
        waiter?.refuse(CancellationError())
    }

    private func workOff() {
        while true {
            let next = state.withLock { state -> Waiter? in
                guard !state.waiting.isEmpty else {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let next else { return }
            let start = ContinuousClock.now
            next.work()
            let cost = ContinuousClock.now - start
            state.withLock { $0.cost = ($0.cost * 7 + cost) / 8 }
        }
    }
}
