internal import Core

/// Whether the wall clock can be believed so far that what is old by it is removed for good. Who is let in goes by the clock
/// as it is; but a clock that is a year ahead for a minute must not cost the audit log of a year.
///
/// After a jump it is not believed for a day: time enough to put it right, and nobody minds what stays a day longer.
struct SteadyClock {
    /// A machine's clock is put right by less, and ages are counted in days.
    static let jump = Duration.seconds(3600)
    /// The same between the last event of the server before and our start.
    static let longestPause = Duration.seconds(7 * 86_400)
    /// How long the clock is not believed.
    static let doubt = Duration.seconds(86_400)

    private var last: (time: Timestamp, instant: ContinuousClock.Instant)
    private var end: ContinuousClock.Instant?

    /// - Parameters:
    ///   - instant: by the clock that nobody sets.
    ///   - lastEvent: nil: nothing has happened here before.
    init(at time: Timestamp, _ instant: ContinuousClock.Instant, lastEvent: Timestamp?) {
        last = (time, instant)
        if let lastEvent, time - lastEvent > Self.longestPause { end = instant + Self.doubt }
    }

    /// To be called now and then.
    ///
    /// - Returns: how far the clock was moved since the last call; nil: it was not.
    mutating func look(at time: Timestamp, _ instant: ContinuousClock.Instant) -> Duration? {
        let moved = (time - last.time) - (instant - last.instant)
        last = (time, instant)
        guard moved.magnitude > Self.jump else { return nil }
        end = instant + Self.doubt
        return moved
    }

    func isTrusted(at instant: ContinuousClock.Instant) -> Bool {
        end.map { instant >= $0 } ?? true
    }
}

extension Duration {
    /// Without its sign.
    var magnitude: Duration { self < .zero ? .zero - self : self }
}
