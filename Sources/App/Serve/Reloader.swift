internal import Synchronization

/// The queue of reloads: one at a time, each with its own answer.
final class Reloader: Sendable {
    private struct Request: Sendable {
        let cause: ReloadCause
        let answer: CheckedContinuation<ReloadReport, Never>
    }

    private let requests: AsyncStream<Request>.Continuation
    private let worker: Task<Void, Never>

    /// - Parameter perform: called for one reload after the other.
    init(_ perform: @escaping @Sendable (ReloadCause) async -> ReloadReport) {
        let (stream, continuation) = AsyncStream.makeStream(of: Request.self)
        requests = continuation
        worker = Task {
            for await request in stream { request.answer.resume(returning: await perform(request.cause)) }
        }
    }

    func reload(_ cause: ReloadCause) async -> ReloadReport {
        await withCheckedContinuation { answer in
            switch requests.yield(Request(cause: cause, answer: answer)) {
            case .enqueued: break
            case .dropped, .terminated: answer.resume(returning: .stopping)
            @unknown default: answer.resume(returning: .stopping)
            }
        }
    }

    /// Takes no more; what waits is still done.
    func finish() {
        requests.finish()
    }

    /// Returns when the last one is done.
    func end() async {
        await worker.value
    }
}

extension ReloadReport {
    /// What is answered when it is too late.
    static let stopping = ReloadReport(reloaded: false, configuration: "", errors: ["the server is stopping"])
}
