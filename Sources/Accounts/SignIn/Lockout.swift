internal import Core
internal import Cryptography
internal import LMDB

/// When failed sign-ins lock (`login.lockout`).
public struct LockoutPolicy: Sendable {
    /// So many failures lock.
    public var failures: Int
    /// How long a lock lasts, and how long a failure counts.
    public var period: Duration

    /// The configuration's defaults.
    public init(failures: Int = 5, period: Duration = .seconds(1800)) {
        self.failures = failures
        self.period = period
    }

    /// Whether a lock that began at `now` or before can last until `end`. What cannot is of a clock that was set back since,
    /// or of a longer period than today's, and would keep people out for ever.
    ///
    /// Attempts are judged at the time at which they came, and may have waited since for their hash: a lock that one of
    /// them meets may have begun a little later than that.
    fileprivate func canLast(until end: Timestamp, at now: Timestamp) -> Bool { end <= now + period + .seconds(60) }
}

/// The failures of one account (or of an identifier that nobody has), by the address class that they came from. The
/// account is locked when all of them together are too many; a sign-in clears those of its own address class only, so
/// that the owner's coming and going gives a guesser elsewhere no new tries.
struct LockoutRecord: JSONRecord, Equatable {
    struct Share: Codable, Equatable {
        var count: Int
        var last: Timestamp
    }

    /// More address classes than these share one count.
    static let maximumShares = 64

    var shares: [String: Share] = [:]
    var lockedUntil: Timestamp?
    var freeAt: Timestamp

    init(at now: Timestamp) {
        freeAt = now
    }

    /// How much longer it is locked; nil: it is not.
    func remaining(_ policy: LockoutPolicy, at now: Timestamp) -> Duration? {
        guard let lockedUntil, lockedUntil > now, policy.canLast(until: lockedUntil, at: now) else { return nil }
        return lockedUntil - now
    }

    /// Counts a failure.
    ///
    /// - Returns: whether this one has locked it.
    mutating func fail(from place: String, _ policy: LockoutPolicy, at now: Timestamp) -> Bool {
        forget(policy, at: now)
        let key = shares[place] != nil || shares.count < Self.maximumShares ? place : ""
        var share = shares[key] ?? Share(count: 0, last: now)
        share.count += 1
        share.last = now
        shares[key] = share
        freeAt = now + policy.period
        guard lockedUntil == nil, shares.values.reduce(0, { $0 + $1.count }) >= policy.failures else {
            return false
        }
        lockedUntil = now + policy.period
        // When the lock is over, counting begins anew.
        shares = [:]
        return true
    }

    /// Counts what another one has counted.
    mutating func merge(_ other: LockoutRecord) {
        for (place, theirs) in other.shares {
            let key = shares[place] != nil || shares.count < Self.maximumShares ? place : ""
            let mine = shares[key] ?? Share(count: 0, last: theirs.last)
            shares[key] = Share(count: mine.count + theirs.count, last: max(mine.last, theirs.last))
        }
        if let end = other.lockedUntil { lockedUntil = max(lockedUntil ?? end, end) }
        freeAt = max(freeAt, other.freeAt)
    }

    mutating func succeed(from place: String, _ policy: LockoutPolicy, at now: Timestamp) {
        forget(policy, at: now)
        shares[place] = nil
    }

    private mutating func forget(_ policy: LockoutPolicy, at now: Timestamp) {
        // A clock that was set back must not make a failure count for ever.
        shares = shares.filter { $0.value.last + policy.period > now && $0.value.last <= now + policy.period }
        if remaining(policy, at: now) == nil { lockedUntil = nil }
    }
}

/// Whose failures a row of `lockouts` counts.
enum LockoutSubject {
    case user(String)
    /// What was typed, in its canonical spelling, and is nobody's.
    case stranger(String)
    /// A device that the user is known by: its failures lock it alone.
    case device(userID: String, digest: [UInt8])
    /// Codes of a second factor, from wherever they come; no password and no mailed link clears these.
    case factor(userID: String)
    /// The same codes, counted for longer and locking nothing: when the owner is told of them.
    case wrongCodes(userID: String)

    var key: [UInt8] {
        switch self {
        case .user(let id): SHA256.digest("user \(id)").bytes
        case .stranger(let text): SHA256.digest("stranger \(text)").bytes
        case .device(let id, let digest): SHA256.digest("device \(id) \(Hexadecimal.encode(digest))").bytes
        case .factor(let id): SHA256.digest("factor \(id)").bytes
        case .wrongCodes(let id): SHA256.digest("wrong codes \(id)").bytes
        }
    }
}

extension Store {
    /// How much longer sign-ins of `subject` are refused.
    func lockRemaining(
        _ subject: LockoutSubject, _ policy: LockoutPolicy, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Duration? {
        try Tables.lockouts.get(subject.key, in: transaction)?.remaining(policy, at: now)
    }

    /// - Returns: whether this failure has locked the subject.
    func countFailure(
        of subject: LockoutSubject, from place: String, _ policy: LockoutPolicy, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        let key = subject.key
        let known = try Tables.lockouts.get(key, in: transaction)
        var record = known ?? LockoutRecord(at: now)
        let hasLocked = record.fail(from: place, policy, at: now)
        try Tables.lockouts.put(record, for: key, in: transaction)
        if known == nil { try scheduleSweep(.lockout(Hexadecimal.encode(key)), at: record.freeAt, in: transaction) }
        return hasLocked
    }

    /// Goes on to count for an account what was counted for its address and its user name while they were nobody's: a
    /// lock that is lifted at that moment would tell that they are somebody's now.
    func inheritFailures(
        _ user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        // Nobody signs in as a service account: whoever tries is a stranger still.
        guard !user.service else { return }
        let key = LockoutSubject.user(user.id).key
        let known = try Tables.lockouts.get(key, in: transaction)
        var record = known ?? LockoutRecord(at: now)
        for name in Set([user.canonicalEmail, Self.canonical(user.username)]) {
            let stranger = LockoutSubject.stranger(name).key
            guard let counted = try Tables.lockouts.get(stranger, in: transaction) else { continue }
            try Tables.lockouts.delete(stranger, in: transaction)
            record.merge(counted)
        }
        guard record != known ?? LockoutRecord(at: now) else { return }
        try Tables.lockouts.put(record, for: key, in: transaction)
        if known == nil { try scheduleSweep(.lockout(Hexadecimal.encode(key)), at: record.freeAt, in: transaction) }
    }

    func clearFailures(
        of subject: LockoutSubject, from place: String, _ policy: LockoutPolicy, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let key = subject.key
        guard var record = try Tables.lockouts.get(key, in: transaction) else { return }
        record.succeed(from: place, policy, at: now)
        if record.shares.isEmpty, record.lockedUntil == nil {
            try Tables.lockouts.delete(key, in: transaction)
        } else {
            try Tables.lockouts.put(record, for: key, in: transaction)
        }
    }
}
