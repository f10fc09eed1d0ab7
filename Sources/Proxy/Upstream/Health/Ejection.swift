/// When a server that fails is passed over, and for how long. Without clock or threads: both come from outside.
///
/// ```
///  in ── too many failures in a row ─► out ── the pause is over ─► a request is let in
///   ▲                                   ▲                              │        │
///   └──────────── an answer ────────────┼──────────────────────────────┘        │
///                                       └───────── a failure: a longer pause ───┘
/// ```
struct Ejection: Equatable {
    /// How much a failure says about the server.
    enum Fault: Equatable {
        /// No connection could be made: nothing that we sent can be the cause.
        case unreachable
        /// A connection was there and no answer came of it, which a request may have brought about.
        case unanswered
    }

    /// What a report has changed.
    enum Change: Equatable {
        case none
        /// It is passed over for so many milliseconds.
        case ejected(Int64)
        /// It is used as any other.
        case returned
    }

    /// So many requests in a row without an answer are too many.
    static let patience = 3
    static let shortest: Int64 = 2_000
    static let longest: Int64 = 60_000

    /// Failures in a row.
    private(set) var failures = 0
    /// The end of the pause; nil: it is in.
    private(set) var outUntil: Int64?
    /// Pauses since it was last well for long.
    private var pauses = 0
    private var returnedAt: Int64?
    /// A request was let in after the pause and has not reported.
    private var isProbing = false

    /// - Parameter jitter: 0 to 1; moves the end of the pause, so that not all come back at once.
    mutating func failed(_ fault: Fault, at now: Int64, jitter: Double) -> Change {
        if outUntil != nil {
            // Others were under way when it was put out; only the one that was let in says something new.
            guard isProbing else { return .none }
            isProbing = false
            let pause = nextPause(jitter)
            outUntil = now + pause
            return .none
        }
        failures += 1
        guard fault == .unreachable || failures >= Self.patience else { return .none }
        if let returnedAt, now - returnedAt > Self.longest { pauses = 0 }
        let pause = nextPause(jitter)
        outUntil = now + pause
        return .ejected(pause)
    }

    /// An answer came.
    mutating func succeeded(at now: Int64) -> Change {
        failures = 0
        guard outUntil != nil else { return .none }
        outUntil = nil
        isProbing = false
        returnedAt = now
        return .returned
    }

    /// The pause is over and nobody else has asked: one request may try. Nobody else may before another pause is over,
    /// whatever becomes of this one.
    mutating func takeProbe(at now: Int64) -> Bool {
        guard let end = outUntil, end <= now else { return false }
        isProbing = true
        outUntil = now + pause(after: pauses - 1)
        return true
    }

    /// Whoever looks after it by other means has found it well.
    mutating func forgive() -> Change {
        defer { self = Ejection() }
        return outUntil == nil ? .none : .returned
    }

    private mutating func nextPause(_ jitter: Double) -> Int64 {
        let pause = pause(after: pauses)
        pauses += 1
        return pause - Int64(Double(pause) / 4 * min(max(jitter, 0), 1))
    }

    private func pause(after pauses: Int) -> Int64 {
        min(Self.longest, Self.shortest << Int64(min(max(pauses, 0), 5)))
    }
}
