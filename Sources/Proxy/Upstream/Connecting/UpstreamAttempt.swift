/// One exchange's wait for something to be sent on: a connection, or a stream of one. It ends once, with an outcome, or
/// without because the exchange has no use for one any more. Bound to its loop.
///
/// ```
///  wanted ─┬─ finish ─► over, the exchange is told
///          └─ cancel ─► over, the exchange is not told, and what was under way for it alone is undone
/// ```
///
/// A client that left would otherwise leave a socket behind until the connect times out, and there is no end of clients
/// that leave.
final class UpstreamAttempt {
    typealias Outcome = Result<UpstreamHandler, any Error>

    /// Nil: it is over.
    private var then: ((Outcome) -> Void)?
    /// Stops what is under way; nil while that ends by itself in a moment, whoever wants it.
    private var undo: (() -> Void)?

    init(_ then: @escaping (Outcome) -> Void) {
        self.then = then
    }

    /// Somebody waits for the outcome.
    var isWanted: Bool { then != nil }

    /// - Parameter undo: takes the place of what was to be called before.
    func onCancel(_ undo: @escaping () -> Void) {
        guard isWanted else { return undo() }
        self.undo = undo
    }

    /// Somebody has it in hand, and ends it whether it is wanted or not.
    func takeInHand() { undo = nil }

    func finish(_ outcome: Outcome) {
        undo = nil
        guard let then else { return }
        self.then = nil
        then(outcome)
    }

    func cancel() {
        then = nil
        guard let undo else { return }
        self.undo = nil
        undo()
    }
}
