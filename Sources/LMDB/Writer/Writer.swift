internal import Core
internal import CLMDB
internal import Glibc

/// The one thread that writes. Closures are taken in order, each in a child transaction of its own; what succeeded is
/// committed together and only then answered.
///
///     queue → [ child · child · child ] → commit → answers
///
/// One transaction's commit costs a sync of the disk, however much it holds; a group shares it.
final class Writer: Sendable {
    /// A closure with everything that depends on its result type folded in.
    struct Job: Sendable {
        /// What to tell the caller once the fate of the group is known.
        typealias Answer = @Sendable (LMDBError?) -> Void

        let perform: @Sendable (borrowing WriteTransaction) throws -> Answer
        let refuse: @Sendable (any Error) -> Void

        init<R: Sendable>(
            _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> R,
            completion: @escaping @Sendable (Result<R, any Error>) -> Void
        ) {
            perform = { transaction in
                let value = try body(transaction)
                return { failure in completion(failure.map { .failure($0) } ?? .success(value)) }
            }
            refuse = { completion(.failure($0)) }
        }
    }

    private struct Queue {
        var jobs: [Job] = []
        var next = 0
        var isStopping = false
        var hasEnded = false
        var thread: pthread_t?

        var depth: Int { jobs.count - next }

        mutating func take() -> Job? {
            guard next < jobs.count else { return nil }
            let job = jobs[next]
            next += 1
            if next == jobs.count || next >= 1024 {
                jobs.removeFirst(next)
                next = 0
            }
            return job
        }
    }

    /// What became of one closure before the commit.
    private enum Outcome {
        case done(Job.Answer, [Change])
        case failed(Job, any Error)
    }

    private let store: Store
    private let slot: GateSlot
    private let queue = Monitor(Queue())

    init(_ store: Store) {
        self.store = store
        slot = store.gate.makeSlot()
        NamedThread.start(name: "store-writer") { self.run() }
    }

    var depth: Int { queue.withLock { $0.depth } }

    /// The caller is the writer's own thread, which must not wait for itself.
    var isCurrentThread: Bool {
        queue.withLock { queue in queue.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    func submit(_ job: Job) {
        let limit = store.configuration.maximumQueuedWrites
        let refusal: LMDBError? = queue.withLock { queue in
            guard !queue.isStopping else { return Gate.closedError }
            guard queue.depth < limit else {
                return LMDBError(.overloaded, "\(limit) writes are waiting: the disk is too slow for so many")
            }
            queue.jobs.append(job)
            return nil
        }
        if let refusal { return job.refuse(refusal) }
        queue.wakeAll()
    }

    /// Takes no more, writes what is queued, closes the store. Returns at once on the writer's own thread.
    func stop() {
        queue.withLock { $0.isStopping = true }
        queue.wakeAll()
        if isCurrentThread { return }
        queue.wait { $0.hasEnded ? () : nil }
    }

    private func run() {
        queue.withLock { $0.thread = pthread_self() }
        while waitForWork() { writeGroup() }
        store.close()
        queue.withLock { $0.hasEnded = true }
        queue.wakeAll()
    }

    private func waitForWork() -> Bool {
        queue.wait { queue in
            if queue.depth > 0 { return true }
            return queue.isStopping ? false : nil
        }
    }

    private func writeGroup() {
        let parent: OpaquePointer
        do {
            parent = try store.beginWriting(slot)
        } catch {
            refuseGroup(error)
            return
        }
        let transactionID = UInt64(mdb_txn_id(parent))
        let outcomes = performGroup(in: parent)
        var failure: LMDBError?
        do {
            try store.commitGroup(parent)
        } catch {
            failure = error
        }
        store.endWriting(slot)
        answer(outcomes, failure: failure, transactionID: transactionID)
    }

    private func performGroup(in parent: OpaquePointer) -> [Outcome] {
        var outcomes: [Outcome] = []
        let deadline = ContinuousClock.now + store.configuration.groupDuration
        repeat {
            guard let job = queue.withLock({ $0.take() }) else { break }
            do {
                let log = WriteTransaction.Log()
                let answer = try perform(job, in: parent, log: log)
                outcomes.append(.done(answer, log.changes))
            } catch {
                outcomes.append(.failed(job, error))
            }
        } while outcomes.count < store.configuration.groupLimit && ContinuousClock.now < deadline
        return outcomes
    }

    private func perform(_ job: Job, in parent: OpaquePointer, log: WriteTransaction.Log) throws -> Job.Answer {
        let child = try store.beginChild(of: parent)
        let answer: Job.Answer
        do {
            let transaction = WriteTransaction(
                view: store.view(child), revisionBase: store.metadata.revisionBase, log: log)
            answer = try job.perform(transaction)
            // A closure that swallowed a failed write must not be acknowledged.
            if let failure = log.failure { throw failure }
        } catch {
            mdb_txn_abort(child)
            throw error
        }
        try store.commit(child)
        return answer
    }

    private func answer(_ outcomes: [Outcome], failure: LMDBError?, transactionID: UInt64) {
        if failure == nil, let committed = store.configuration.committed {
            let changes = outcomes.compactMap { outcome in
                if case .done(_, let changes) = outcome, !changes.isEmpty { return changes }
                return nil as [Change]?
            }
            if !changes.isEmpty { committed(transactionID, changes) }
        }
        for outcome in outcomes {
            switch outcome {
            case .done(let answer, _): answer(failure)
            case .failed(let job, let error): job.refuse(error)
            }
        }
    }

    private func refuseGroup(_ failure: LMDBError) {
        for _ in 0..<store.configuration.groupLimit {
            guard let job = queue.withLock({ $0.take() }) else { return }
            job.refuse(failure)
        }
    }
}
