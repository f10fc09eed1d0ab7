internal import Core

/// When signing keys come and go; pure.
///
/// ```
///   key A   |==== signs, 30 days ====|·· until its last token ended ··|
///   key B            | 24 h published|==== signs, 30 days ====|··
/// ```
struct SigningSchedule {
    static let period = Duration.seconds(30 * 86_400)
    static let announcement = Duration.seconds(86_400)
    /// For the clocks of those who verify.
    static let leeway = Duration.seconds(120)
    /// The longest life of an assertion.
    static let assertionLifetime = Duration.seconds(300)

    /// What is to be done now.
    struct Plan: Equatable {
        /// Make a key that takes over at that time.
        var createActiveFrom: Timestamp?
        /// Remove these.
        var drop: [String] = []
    }

    /// All keys of one purpose.
    let keys: [SigningKeyRecord]
    let now: Timestamp

    init(_ keys: [SigningKeyRecord], now: Timestamp) {
        self.keys = keys.sorted { ($0.activeFrom, $0.kid) < ($1.activeFrom, $1.kid) }
        self.now = now
    }

    /// The one that signs. Where the clock was set back to before the first of them, as it is when a machine without one
    /// learns the time behind its start, that one goes on: without any nothing could be forwarded.
    var current: SigningKeyRecord? { keys.last { $0.activeFrom <= now } ?? keys.first }
    /// The one that will. One that is further away was made by a clock that was wrong: it is not waited for.
    var next: SigningKeyRecord? {
        keys.first {
            $0.activeFrom > now && $0.activeFrom <= now + Self.period + Self.announcement && $0.kid != current?.kid
        }
    }

    func state(of key: SigningKeyRecord) -> SigningKey.State {
        if key.kid == current?.kid { return .current }
        return key.activeFrom > now ? .next : .old
    }

    /// - Parameter lastTokenEnd: when the last token of a key ends, as far as it is known.
    func plan(lastTokenEnd: (String) -> Timestamp?) -> Plan {
        guard let current else { return Plan(createActiveFrom: now) }
        var plan = Plan()
        if next == nil, current.activeFrom > now + Self.period { return Plan(createActiveFrom: now) }
        let end = current.activeFrom + Self.period
        if next == nil, now >= end - Self.announcement {
            plan.createActiveFrom = max(end, now + Self.announcement)
        }
        for (key, successor) in zip(keys, keys.dropFirst()) where successor.activeFrom <= now {
            let published = max(
                successor.activeFrom + Self.assertionLifetime, lastTokenEnd(key.kid) ?? Timestamp(milliseconds: 0))
            if now >= published + Self.leeway { plan.drop.append(key.kid) }
        }
        return plan
    }
}
