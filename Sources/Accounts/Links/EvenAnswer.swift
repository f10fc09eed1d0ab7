/// When an answer goes out whose work differs by whether an address has an account: at the next of the moments that lie
/// ``step`` apart, counted from its request. The work for both is alike, but not to the microsecond, and a stranger with a
/// clock can ask often (OWASP Authentication Cheat Sheet, "Authentication and Error Messages").
enum EvenAnswer {
    /// Several times what either work takes on an idle machine.
    static let step = Duration.milliseconds(5)

    /// How long after the request the answer goes out.
    ///
    /// - Parameter elapsed: since the request, when the work is done.
    static func moment(after elapsed: Duration) -> Duration {
        let steps = (max(elapsed, .zero) / step).rounded(.down) + 1
        return step * steps
    }

    /// Waits for the moment; at once when the task is cancelled, for then nobody is answered.
    static func wait(since begin: ContinuousClock.Instant) async {
        let clock = ContinuousClock()
        try? await clock.sleep(until: begin + moment(after: clock.now - begin), tolerance: .zero)
    }
}
