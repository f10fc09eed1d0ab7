internal import Synchronization

/// Waits for something no longer than it may. What is late goes on, and is there for the next who asks.
enum Deadline {
    /// - Throws: `unavailable` when the time is over.
    static func of<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async -> Result<Value, FlowFailure>
    ) async throws(FlowFailure) -> Value {
        let first = First<Value>()
        let timer = Task {
            try? await Task.sleep(for: limit)
            first.settle(.failure(FlowFailure(.unavailable, "the provider took longer than \(limit)")))
        }
        let result = await withCheckedContinuation { continuation in
            first.take(continuation)
            Task { first.settle(await body()) }
        }
        timer.cancel()
        return try result.get()
    }

    private final class First<Value: Sendable>: Sendable {
        typealias Outcome = Result<Value, FlowFailure>

        private enum State {
            case empty
            case waited(CheckedContinuation<Outcome, Never>)
            case early(Outcome)
            case over
        }

        private let state = Mutex(State.empty)

        func take(_ continuation: CheckedContinuation<Outcome, Never>) {
            let early: Outcome? = state.withLock { state in
                if case .early(let outcome) = state {
                    state = .over
                    return outcome
                }
                state = .waited(continuation)
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }

        func settle(_ outcome: Outcome) {
            let waiting: CheckedContinuation<Outcome, Never>? = state.withLock { state in
                switch state {
                case .empty:
                    state = .early(outcome)
                    return nil
                case .waited(let continuation):
                    state = .over
                    return continuation
                case .early, .over: return nil
                }
            }
            waiting?.resume(returning: outcome)
        }
    }
}
