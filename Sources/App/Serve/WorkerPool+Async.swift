internal import Core

extension WorkerPool {
    /// Runs `work` on one of the threads and waits for it.
    ///
    /// - Throws: what `work` throws, or a ``CommandFailure`` when the pool takes no more.
    func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let accepted = submit { continuation.resume(with: Swift.Result { try work() }) }
            if !accepted {
                continuation.resume(throwing: CommandFailure(.failed, "the server is stopping or overloaded"))
            }
        }
    }
}
