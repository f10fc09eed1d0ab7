internal import Accounts
internal import Core
internal import Synchronization

/// A sign-in that has begun: where it goes on, kept here and not in the browser. One a tab.
struct PendingSignIn: Sendable {
    /// Nil: the account page.
    var returnTo: ReturnAddress?
    /// The keyed digest of the cookie of the browser that was shown the form.
    var browser: [UInt8]
    /// What the page that they want is missing of the session that is there; nil: a session is to be made.
    var stepUp: Reason?
    /// The token of the link that lets a new factor be set up after a reset.
    var enrolmentLink: String?
    /// The first proof was good and the second is missing.
    var partial: PartialSignIn?
    var expiresAt: Timestamp

    /// The session is there and is to be proved once more.
    var isStepUp: Bool { stepUp != nil }
}

/// The sign-ins that have begun, in memory: after a restart a person ends on the account page. Bounded, also each place's
/// share of it (``FairShares``): nobody pushes out those of others, but by coming from as many sites as there is room for.
/// Those that go on to a long address have room of their own, and less: together they take no more than the others.
final class PendingSignIns: Sendable {
    static let lifetime = Duration.seconds(3600)
    /// Longer addresses are few among people's.
    static let usualAddress = 1024

    private let all: Mutex<FairShares<PendingSignIn>>
    private let long: Mutex<FairShares<PendingSignIn>>

    /// - Parameters:
    ///   - capacity: of all clients together.
    ///   - siteShare: of an IPv4 address, or a /48.
    ///   - networkShare: of a /64 in it.
    init(capacity: Int = 16_384, siteShare: Int = 2048, networkShare: Int = 128) {
        all = Mutex(FairShares(capacity: capacity, siteShare: siteShare, networkShare: networkShare))
        long = Mutex(FairShares(capacity: capacity / 8, siteShare: siteShare / 8, networkShare: networkShare / 4))
    }

    /// Keeps a sign-in under an id that nobody can guess.
    func insert(_ pending: PendingSignIn, id: String, from place: ClientPlace) {
        if pending.returnTo.map({ $0.path.utf8.count > Self.usualAddress }) ?? false {
            long.withLock { all in _ = all.insert(pending, id: id, from: place) }
        } else {
            all.withLock { all in _ = all.insert(pending, id: id, from: place) }
        }
    }

    /// The sign-in of that form in that browser; it stays until ``remove(_:)``.
    func find(_ id: String, browser: [UInt8], at now: Timestamp) -> PendingSignIn? {
        guard let pending = all.withLock({ $0[id] }) ?? long.withLock({ $0[id] }) else { return nil }
        guard pending.expiresAt > now else {
            remove(id)
            return nil
        }
        return constantTimeEqual(pending.browser, browser) ? pending : nil
    }

    /// The first proof was good.
    func note(_ partial: PartialSignIn, of id: String) {
        all.withLock { $0.change(id) { $0.partial = partial } }
        long.withLock { $0.change(id) { $0.partial = partial } }
    }

    /// Removes all whose time is over.
    func sweep(at now: Timestamp) {
        all.withLock { all in _ = all.removeAll { $0.expiresAt <= now } }
        long.withLock { all in _ = all.removeAll { $0.expiresAt <= now } }
    }

    /// It has been gone through with.
    func remove(_ id: String) {
        all.withLock { $0.remove(id) }
        long.withLock { $0.remove(id) }
    }
}

/// Sees when a browser is sent from the app to us and back without end: an app, or a cookie's domain, that is set up
/// wrongly.
final class LoginLoops: Sendable {
    static let window = Duration.seconds(30)
    /// The time at which it stops.
    static let limit = 3

    private let seen = Mutex(ClockCache<String, (count: Int, since: Timestamp)>(capacity: 4096))

    /// Counts that the session `session` was sent on.
    ///
    /// - Returns: whether it goes round in circles.
    func count(_ session: String, to address: ReturnAddress, at now: Timestamp) -> Bool {
        let key = "\(session) \(address.url)"
        return seen.withLock { seen in
            if let place = seen.find(key), seen[place].since + Self.window > now, seen[place].since <= now {
                seen[place].count += 1
                return seen[place].count >= Self.limit
            }
            seen.insert((1, now), for: key)
            return false
        }
    }
}

/// As long and the same bytes, in a time that does not tell where they differ.
func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
