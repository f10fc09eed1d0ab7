internal import Core
internal import LMDB
internal import Synchronization

/// What the limits have refused, on its way to the audit log. A flood is refused, so it must not become a flood of
/// events: one place is told of at once and then once a minute with how often it was, and so many places are told apart.
struct LimitRefusals {
    /// Of it one event is made.
    struct Group {
        let event: AuditEventType
        let limit: LimitedAction
        /// Who was signed in; nil: nobody, or more than one.
        var userID: String?
        /// The newest.
        var client: Client
        var first: Timestamp
        var last: Timestamp
        var count: Int64 = 0
        var addresses: [String] = []

        fileprivate mutating func merge(_ other: Group) {
            if other.last >= last { client = other.client }
            if other.userID != userID { userID = nil }
            first = min(first, other.first)
            last = max(last, other.last)
            count &+= other.count
            for address in other.addresses where !addresses.contains(address) {
                guard addresses.count < AccessRecord.maximumAddresses else { return }
                addresses.append(address)
            }
        }
    }

    private struct Key: Hashable {
        let event: AuditEventType
        /// Empty for all that are not told apart.
        let place: String
        let userID: String?
    }

    private struct Entry {
        var dueAt: Timestamp
        /// What came since it was told of.
        var waiting: Group?
    }

    static let interval = Duration.seconds(60)
    /// So many are told apart within a minute.
    static let maximumPlaces = 64

    private var entries: [Key: Entry] = [:]

    mutating func add(
        _ event: AuditEventType, _ limit: LimitedAction, _ client: Client, userID: String? = nil, at now: Timestamp
    ) {
        var group = Group(
            event: event, limit: limit, userID: userID, client: client, first: now, last: now, count: 1)
        if let address = client.address { group.addresses = [address.description] }
        add(group, at: now)
    }

    private mutating func add(_ group: Group, at now: Timestamp) {
        var key = Key(event: group.event, place: group.client.addressClass, userID: group.userID)
        if entries[key] == nil, entries.count >= Self.maximumPlaces {
            key = Key(event: group.event, place: "", userID: nil)
        }
        var entry = entries[key] ?? Entry(dueAt: now)
        if entry.waiting?.merge(group) == nil { entry.waiting = group }
        entries[key] = entry
    }

    /// Takes what is to be told of now, the oldest first.
    mutating func take(at now: Timestamp, all: Bool = false) -> [Group] {
        var due: [Group] = []
        for (key, entry) in entries {
            // A clock that was set back must not keep anything from being told.
            guard all || entry.dueAt <= now || entry.dueAt > now + Self.interval else { continue }
            if let group = entry.waiting {
                due.append(group)
                entries[key] = Entry(dueAt: now + Self.interval)
            } else {
                entries[key] = nil
            }
        }
        return due.sorted { $0.first < $1.first }
    }

    /// Puts back what could not be written.
    mutating func putBack(_ groups: [Group], at now: Timestamp) {
        for group in groups { add(group, at: now) }
    }
}

extension LimitRefusals.Group {
    /// - Parameter user: whose id the group has.
    func audited(of user: UserRecord?) -> (event: NewAuditEvent, actor: AuditActor) {
        var metadata: [String: AuditValue] = [
            "limit": .string(limit.rawValue), "count": .integer(count), "first": .string(first.rfc3339),
            "last": .string(last.rfc3339),
        ]
        if addresses.count > 1 { metadata["addresses"] = .strings(addresses) }
        var actor = client.actor(user?.username ?? "anonymous")
        if addresses.count > 1 { actor.address = nil }
        return (
            NewAuditEvent(
                event, success: false, reason: "rate_limited", user: user?.username, userID: user?.id,
                metadata: metadata), actor
        )
    }
}

extension RateLimiter {
    /// Writes down what was refused since the last time; to be called about once a second. What cannot be written stays
    /// for the next time.
    ///
    /// - Parameter final: everything, at the server's stop.
    public func drain(into store: Store, final: Bool = false) throws(AccountsError) {
        let now = store.clock.now()
        let groups = refusals.withLock { $0.take(at: now, all: final) }
        guard !groups.isEmpty else { return }
        do throws(AccountsError) {
            try store.write { transaction in
                for group in groups {
                    let user = try group.userID.flatMap { try Tables.users.get($0, in: transaction) }
                    let (event, actor) = group.audited(of: user)
                    try store.append(event, by: actor, at: now, in: transaction)
                }
            }
        } catch {
            refusals.withLock { $0.putBack(groups, at: now) }
            throw error
        }
    }
}
