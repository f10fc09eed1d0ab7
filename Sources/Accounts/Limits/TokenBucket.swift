public import Core
internal import Synchronization

/// How many a client may do (`limits`): `burst` at once, and then `count` every `per`.
public struct RateLimit: Sendable, Hashable {
    /// So many…
    public var count: Int
    /// …in this time.
    public var per: Duration
    /// So many at once, after a rest.
    public var burst: Int

    /// All fields, named as they are.
    public init(count: Int, per: Duration, burst: Int) {
        self.count = count
        self.per = per
        self.burst = burst
    }
}

/// A token bucket by the virtual time at which it would be full (GCRA): one number a client.
struct TokenBucket {
    /// Until then it is not full.
    private var fullAt: Timestamp

    init() {
        fullAt = Timestamp(milliseconds: .min)
    }

    /// Takes one.
    ///
    /// - Returns: nil, or how long to wait for the next one.
    mutating func take(_ limit: RateLimit, at now: Timestamp) -> Duration? {
        let interval = limit.interval
        let depth = interval * max(1, limit.burst)
        // A clock that was set back must not lock anybody out.
        if fullAt > now + depth { fullAt = now }
        let next = max(fullAt, now) + interval
        let excess = next - (now + depth)
        guard excess <= .zero else { return excess }
        fullAt = next
        return nil
    }
}

extension RateLimit {
    /// The time in which one more is allowed.
    fileprivate var interval: Duration {
        .milliseconds(max(1, per.wholeMilliseconds / Int64(max(1, count))))
    }
}

/// What is limited.
public enum LimitedAction: String, Sendable, CaseIterable {
    /// Sign-ins, and everything else that a password or a secret can be guessed by.
    case signIn = "sign_in"
    /// Whatever sends a mail to an address that a stranger names.
    case mail
    /// Exchanges of refresh tokens, of one session: each leaves a row behind.
    case refresh
    /// Keys that an owner makes: each leaves a row and a mail behind.
    case keys
}

/// `limits`.
public struct LimitPolicy: Sendable {
    /// By the action.
    public var limits: [LimitedAction: RateLimit]
    /// Clients from there are not counted; the addresses that mail goes to are.
    public var exemptNetworks: [Network]

    /// The configuration's defaults.
    public init(
        signIn: RateLimit = RateLimit(count: 20, per: .seconds(60), burst: 40),
        mail: RateLimit = RateLimit(count: 5, per: .seconds(3600), burst: 5),
        refresh: RateLimit = RateLimit(count: 120, per: .seconds(3600), burst: 60),
        keys: RateLimit = RateLimit(count: 60, per: .seconds(3600), burst: 60), exemptNetworks: [Network] = []
    ) {
        limits = [.signIn: signIn, .mail: mail, .refresh: refresh, .keys: keys]
        self.exemptNetworks = exemptNetworks
    }
}

/// The buckets of this process: bounded, in memory, forgotten at a restart. One a process; reloads keep it.
public final class RateLimiter: Sendable {
    private struct Key: Hashable {
        let action: LimitedAction
        let who: String
    }

    private typealias Buckets = Mutex<ClockCache<Key, TokenBucket>>

    /// Apart, so that no crowd of clients makes it forget what was sent to an address.
    private let ofClients: Buckets
    private let ofOthers: Buckets

    /// - Parameter capacity: of how many clients, and of how many addresses and accounts, it remembers what they did.
    public init(capacity: Int = 65_536) {
        ofClients = Mutex(ClockCache(capacity: capacity))
        ofOthers = Mutex(ClockCache(capacity: capacity))
    }

    /// Counts one by a client. Clients of an unknown address share one bucket, as do those of one /64.
    ///
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, client address: IPAddress?, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        if let address, policy.exemptNetworks.contains(where: { $0.contains(address) }) { return }
        try Self.take(action, who: Self.place(of: address), policy, in: ofClients, at: now)
    }

    /// Counts one to a mail address, whoever asked.
    ///
    /// - Parameter mailbox: canonical.
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, mailbox: String, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        try Self.take(action, who: "to " + mailbox, policy, in: ofOthers, at: now)
    }

    /// Counts one of an account or of a session, wherever it comes from.
    ///
    /// - Parameter id: of the user or the session.
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, of id: String, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        try Self.take(action, who: "of " + id, policy, in: ofOthers, at: now)
    }

    private static func take(
        _ action: LimitedAction, who: String, _ policy: LimitPolicy, in buckets: borrowing Buckets, at now: Timestamp
    ) throws(AccountsError) {
        guard let limit = policy.limits[action] else { return }
        let key = Key(action: action, who: who)
        let wait = buckets.withLock { buckets in
            if let place = buckets.find(key) { return buckets[place].take(limit, at: now) }
            var bucket = TokenBucket()
            let wait = bucket.take(limit, at: now)
            buckets.insert(bucket, for: key)
            return wait
        }
        if let wait {
            throw AccountsError(
                .rateLimited, "Too many requests from here or for this address: try again later.", retryAfter: wait)
        }
    }

    private static func place(of address: IPAddress?) -> String {
        guard let address else { return "unknown" }
        switch address.family {
        case .v4: return address.description
        case .v6: return "v6 \(address.bits >> 64)"
        }
    }
}
