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
        let (next, wait) = next(limit, at: now)
        if wait == nil { fullAt = next }
        return wait
    }

    /// How long to wait for the next one; nil: it can be had now. Takes none.
    func wait(_ limit: RateLimit, at now: Timestamp) -> Duration? { next(limit, at: now).wait }

    private func next(_ limit: RateLimit, at now: Timestamp) -> (fullAt: Timestamp, wait: Duration?) {
        let interval = limit.interval
        let depth = interval * max(1, limit.burst)
        // A clock that was set back must not lock anybody out.
        let begin = fullAt > now + depth ? now : max(fullAt, now)
        let next = begin + interval
        let excess = next - (now + depth)
        return (next, excess > .zero ? excess : nil)
    }
}

extension RateLimit {
    /// The time in which one more is allowed.
    fileprivate var interval: Duration {
        .milliseconds(max(1, per.wholeMilliseconds / Int64(max(1, count))))
    }

    /// At most so many within a time, after a rest; never more than `bound`.
    func most(within time: Duration, bound: Int) -> Int {
        let more = Int(clamping: time.wholeMilliseconds / interval.wholeMilliseconds)
        return min(bound, min(bound, max(1, burst)) + min(bound, max(0, more)))
    }

    /// For so many clients together.
    fileprivate func times(_ factor: Int) -> RateLimit {
        RateLimit(count: min(count, .max / factor) * factor, per: per, burst: min(burst, .max / factor) * factor)
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
    /// What a signed-in person changes without a secret that could be guessed: each leaves an event behind.
    case changes
    /// Sign-ins at providers that begin: each waits in memory.
    case flows
    /// Logout tokens that come in, good or not.
    case providerLogout = "provider_logout"
    /// Logout tokens that are refused: each leaves an event behind.
    case refusedLogout = "refused_logout"
    /// Requests with an API key that is wrong, revoked or expired, or whose owner is disabled.
    case refusedKeys = "refused_keys"
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
        keys: RateLimit = RateLimit(count: 60, per: .seconds(3600), burst: 60),
        changes: RateLimit = RateLimit(count: 600, per: .seconds(3600), burst: 200), exemptNetworks: [Network] = []
    ) {
        limits = [
            .signIn: signIn, .mail: mail, .refresh: refresh, .keys: keys, .changes: changes,
            // Not every one that begins ends here; whoever may end many may begin more.
            .flows: signIn.times(3),
            .providerLogout: RateLimit(count: 3000, per: .seconds(60), burst: 3000), .refusedLogout: signIn,
            // Apart from sign-ins: a program with an old key keeps nobody at its address from signing in.
            .refusedKeys: signIn,
        ]
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

    /// So many networks' mails a /48 of IPv6 may cause: whoever has one has 65,536 networks.
    private static let networksOfSite = 4

    /// Apart, so that neither a crowd of clients nor one of accounts makes it forget what was sent to an address.
    private let ofClients: Buckets
    private let ofMailboxes: Buckets
    private let ofOthers: Buckets
    /// Of clients and of mail addresses, until they are written down.
    let refusals = Mutex(LimitRefusals())
    /// Of those, the sign-ins.
    let signIns = SignInCounts()

    /// - Parameter capacity: of how many clients, of how many mail addresses, and of how many accounts and sessions it
    ///   remembers what they did.
    public init(capacity: Int = 65_536) {
        ofClients = Mutex(ClockCache(capacity: capacity))
        ofMailboxes = Mutex(ClockCache(capacity: capacity))
        ofOthers = Mutex(ClockCache(capacity: capacity))
    }

    /// Counts one by a client. Clients of an unknown address share one bucket, as do those of one /64; what is mailed
    /// is counted for the /48 as well.
    ///
    /// - Parameters:
    ///   - event: what the audit log calls what was wanted.
    ///   - method: of a sign-in, as the metrics call it.
    ///   - userID: of who is signed in there.
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, client: Client, as event: AuditEventType = .signIn, method: String = "other",
        by userID: String? = nil, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        let address = client.address
        if let address, policy.exemptNetworks.contains(where: { $0.contains(address) }) { return }
        guard let limit = policy.limits[action] else { return }
        var takes = [(Key(action: action, who: Self.place(of: address)), limit)]
        if action == .mail, let address, address.family == .v6 {
            takes.append((Key(action: action, who: "v6/48 \(address.bits >> 80)"), limit.times(Self.networksOfSite)))
        }
        do throws(AccountsError) {
            try Self.take(takes, in: ofClients, at: now)
        } catch {
            if event == .signIn { signIns.noteLimited(method) }
            note(event, action, client, by: userID, at: now)
            throw error
        }
    }

    /// Counts one of a signed-in person, wherever it comes from.
    ///
    /// - Parameters:
    ///   - id: of the user or the session.
    ///   - event: what the audit log calls what was wanted.
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, of id: String, by userID: String, as event: AuditEventType, from client: Client,
        _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        do throws(AccountsError) {
            try take(action, of: id, policy, at: now)
        } catch {
            note(event, action, client, by: userID, at: now)
            throw error
        }
    }

    /// Counts one by a client, silently.
    ///
    /// - Returns: how long to wait for the next one; nil: it was taken.
    func takeOne(
        _ action: LimitedAction, from address: IPAddress?, _ policy: LimitPolicy, at now: Timestamp
    ) -> Duration? {
        guard let limit = policy.limits[action] else { return nil }
        return Self.takeAll([(Key(action: action, who: Self.place(of: address)), limit)], in: ofClients, at: now)
    }

    /// Notes what was refused, for the audit log.
    func note(
        _ event: AuditEventType, _ action: LimitedAction, _ client: Client, by userID: String? = nil,
        at now: Timestamp
    ) {
        refusals.withLock { $0.add(event, action, client, userID: userID, at: now) }
    }

    /// Counts one mail to an address, whoever asked. Mails of each purpose are counted apart: nobody uses up the mails
    /// for a new password by asking for links that sign in.
    ///
    /// - Parameter mailbox: canonical.
    /// - Throws: `rateLimited`.
    func take(
        mailbox: String, for purpose: LinkPurpose, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        guard let limit = policy.limits[.mail] else { return }
        try Self.take(
            [(Key(action: .mail, who: "\(purpose.rawValue) to \(mailbox)"), limit)], in: ofMailboxes, at: now)
    }

    /// Counts one mail that a user asked for on a device that they are known by: strangers take nothing of it.
    ///
    /// - Throws: `rateLimited`.
    func take(
        device digest: [UInt8], of userID: String, for purpose: LinkPurpose, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        guard let limit = policy.limits[.mail] else { return }
        let who = "\(purpose.rawValue) from \(userID) \(Hexadecimal.encode(digest))"
        try Self.take([(Key(action: .mail, who: who), limit)], in: ofMailboxes, at: now)
    }

    /// Counts one of an account or of a session, wherever it comes from.
    ///
    /// - Parameter id: of the user or the session.
    /// - Throws: `rateLimited`.
    func take(
        _ action: LimitedAction, of id: String, _ policy: LimitPolicy, at now: Timestamp
    ) throws(AccountsError) {
        guard let limit = policy.limits[action] else { return }
        try Self.take([(Key(action: action, who: "of " + id), limit)], in: ofOthers, at: now)
    }

    /// One of each of these buckets, or none of any.
    private static func take(
        _ takes: [(key: Key, limit: RateLimit)], in buckets: borrowing Buckets, at now: Timestamp
    ) throws(AccountsError) {
        if let wait = takeAll(takes, in: buckets, at: now) {
            throw AccountsError(
                .rateLimited, "Too many requests from here or for this address: try again later.", retryAfter: wait)
        }
    }

    /// - Returns: how long to wait until there is one of each; nil: they were taken.
    private static func takeAll(
        _ takes: [(key: Key, limit: RateLimit)], in buckets: borrowing Buckets, at now: Timestamp
    ) -> Duration? {
        buckets.withLock { buckets -> Duration? in
            for (key, limit) in takes {
                guard let place = buckets.find(key) else { continue }
                if let wait = buckets[place].wait(limit, at: now) { return wait }
            }
            for (key, limit) in takes {
                var bucket = buckets.find(key).map { buckets[$0] } ?? TokenBucket()
                _ = bucket.take(limit, at: now)
                buckets.insert(bucket, for: key)
            }
            return nil
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
