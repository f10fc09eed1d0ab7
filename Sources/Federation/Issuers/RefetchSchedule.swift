internal import Core

/// When an issuer's key set is fetched: one fetch at a time, again when what its headers allowed has passed, and at
/// most once in 30 seconds because of a key id that nobody knows. A value without I/O: events in, answers out.
struct RefetchSchedule {
    /// How long an unknown key id, or a failure, keeps the next fetch waiting.
    static let shortestPause: Duration = .seconds(30)
    /// The same for tokens that the issuer itself has handed over. Strangers, whose tokens may name any key, do not use
    /// up their turn.
    static let shortestPauseIfVouchedFor: Duration = .seconds(5)
    /// A set is fetched again at least this often, whatever its headers say.
    static let longestAge: Duration = .seconds(86_400)
    /// How long a set without cache headers is kept.
    static let usualAge: Duration = .seconds(300)

    private(set) var isFetching = false
    private var lastRefetch: Timestamp?
    private var lastRefetchIfVouchedFor: Timestamp?
    private var dueAt: Timestamp?

    /// The same times, for keys that somebody else's fetch does not reach.
    var withoutFetch: RefetchSchedule {
        var schedule = self
        schedule.isFetching = false
        return schedule
    }

    /// The timer's question: a fetch is to begin now.
    ///
    /// - Returns: true exactly when the caller must fetch; the schedule then counts it as running.
    mutating func beginIfDue(at now: Timestamp) -> Bool {
        // Farther away than any set may be kept: the clock was set back.
        guard !isFetching, dueAt.map({ now >= $0 || $0 - now > Self.longestAge }) ?? true else { return false }
        isFetching = true
        return true
    }

    /// What a token with an unknown key id gets.
    enum Answer {
        /// The caller must fetch; the token waits for it.
        case begin
        /// A fetch is running; the token waits for it.
        case wait
        /// Too early to ask again; the token is refused.
        case refuse
    }

    /// A token came whose key is not in the set.
    mutating func keyIsUnknown(at now: Timestamp, isVouchedFor: Bool = false) -> Answer {
        if isFetching { return .wait }
        let last = isVouchedFor ? lastRefetchIfVouchedFor : lastRefetch
        let pause = isVouchedFor ? Self.shortestPauseIfVouchedFor : Self.shortestPause
        // A clock that was set back must not keep the issuer's new key out for long.
        if let last, now >= last, now - last < pause { return .refuse }
        isFetching = true
        if isVouchedFor { lastRefetchIfVouchedFor = now } else { lastRefetch = now }
        return .begin
    }

    /// The fetch succeeded.
    ///
    /// - Parameter maximumAge: what `Cache-Control` allowed; nil when it said nothing.
    mutating func succeeded(at now: Timestamp, maximumAge: Duration?) {
        isFetching = false
        let age = min(max(maximumAge ?? Self.usualAge, Self.shortestPause), Self.longestAge)
        dueAt = now + age
    }

    /// The fetch failed; the keys of the last one stay.
    mutating func failed(at now: Timestamp, hasKeys: Bool) {
        isFetching = false
        dueAt = now + (hasKeys ? Self.shortestPause : .seconds(2))
    }
}
