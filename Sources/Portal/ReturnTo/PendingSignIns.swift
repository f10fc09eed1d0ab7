internal import Accounts
internal import Core
internal import Synchronization

/// A sign-in that has begun: where it goes on, kept here and not in the browser. One a tab.
struct PendingSignIn: Sendable {
    /// Nil: the account page.
    var returnTo: ReturnAddress?
    /// The keyed digest of the cookie of the browser that was shown the form.
    var browser: [UInt8]
    /// The session is there and is to be proved once more.
    var isStepUp: Bool
    /// What the page that they want is missing.
    var stepUp: Reason?
    /// The token of the link that lets a new factor be set up after a reset.
    var enrolmentLink: String?
    /// The first proof was good and the second is missing.
    var partial: PartialSignIn?
    var expiresAt: Timestamp
}

/// The sign-ins that have begun, in memory: after a restart a person ends on the account page. Bounded, also a place's
/// share of it; when all are taken, the place that has most gives up its oldest. So nobody pushes out those of others,
/// but by coming from as many places as there is room for.
final class PendingSignIns: Sendable {
    static let lifetime = Duration.seconds(3600)

    private struct State {
        var entries: [String: (pending: PendingSignIn, place: String)] = [:]
        /// Oldest first; ids that are gone stay until the list is tidied.
        var order: [String] = []
        /// Oldest first.
        var ofPlace: [String: [String]] = [:]
        /// The places that have so many each; none have more than there are rows.
        var placesWith: [Set<String>] = [[]]
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let share: Int

    /// - Parameters:
    ///   - capacity: of all clients together.
    ///   - share: of one place.
    init(capacity: Int = 16_384, share: Int = 512) {
        self.capacity = max(1, capacity)
        self.share = max(1, share)
    }

    /// Keeps a sign-in under an id that nobody can guess.
    ///
    /// - Parameter place: see ``ClientPlace``.
    func insert(_ pending: PendingSignIn, id: String, from place: String) {
        state.withLock { state in
            Self.remove(id, from: &state)
            if let mine = state.ofPlace[place], mine.count >= share, let oldest = mine.first {
                Self.remove(oldest, from: &state)
            }
            if state.entries.count >= capacity { Self.makeRoom(in: &state) }
            if state.order.count > 2 * capacity { state.order.removeAll { state.entries[$0] == nil } }
            state.entries[id] = (pending, place)
            state.order.append(id)
            state.ofPlace[place, default: []].append(id)
            Self.moved(place, from: (state.ofPlace[place]?.count ?? 1) - 1, in: &state)
        }
    }

    /// The sign-in of that form in that browser; it stays until ``remove(_:)``.
    func find(_ id: String, browser: [UInt8], at now: Timestamp) -> PendingSignIn? {
        state.withLock { state in
            guard let entry = state.entries[id] else { return nil }
            guard entry.pending.expiresAt > now else {
                Self.remove(id, from: &state)
                return nil
            }
            return constantTimeEqual(entry.pending.browser, browser) ? entry.pending : nil
        }
    }

    /// The first proof was good.
    func note(_ partial: PartialSignIn, of id: String) {
        state.withLock { $0.entries[id]?.pending.partial = partial }
    }

    /// It has been gone through with.
    func remove(_ id: String) {
        state.withLock { Self.remove(id, from: &$0) }
    }

    /// The oldest of the fullest place goes; where all have one each, the oldest of all.
    private static func makeRoom(in state: inout State) {
        if let most = state.placesWith.lastIndex(where: { !$0.isEmpty }), most > 1,
            let place = state.placesWith[most].first, let oldest = state.ofPlace[place]?.first
        {
            return remove(oldest, from: &state)
        }
        let first = state.order.firstIndex { state.entries[$0] != nil } ?? state.order.endIndex
        if first < state.order.endIndex { remove(state.order[first], from: &state) }
        state.order.removeFirst(min(first + 1, state.order.count))
    }

    private static func remove(_ id: String, from state: inout State) {
        guard let entry = state.entries.removeValue(forKey: id) else { return }
        let before = state.ofPlace[entry.place]?.count ?? 0
        state.ofPlace[entry.place]?.removeAll { $0 == id }
        if state.ofPlace[entry.place]?.isEmpty == true { state.ofPlace[entry.place] = nil }
        moved(entry.place, from: before, in: &state)
    }

    /// Notes that a place has another number than `before`.
    private static func moved(_ place: String, from before: Int, in state: inout State) {
        let after = state.ofPlace[place]?.count ?? 0
        while state.placesWith.count <= after { state.placesWith.append([]) }
        if before > 0 { state.placesWith[before].remove(place) }
        if after > 0 { state.placesWith[after].insert(place) }
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
