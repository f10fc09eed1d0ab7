internal import Core

/// Denials that become one event: the same reason, route and user (or, of nobody known, address class) within two
/// seconds.
///
/// Strangers have as many events as fit into a store of the usual size for as long as it keeps them: who sends from very
/// many networks would fill the disk else, and then nobody could sign in any more. What is beyond is one event a minute,
/// reason and route, which counts on.
struct DenialGroups {
    fileprivate struct Key: Hashable {
        let reason: Reason?
        let route: String?
        /// Nil: strangers of many networks together.
        let who: String?
    }

    /// Of them one event is made.
    struct Group {
        fileprivate let key: Key
        var sample: Denial
        var first: Timestamp
        var last: Timestamp
        var count: Int64
        var addresses: [String]
        var credentials: [String]

        /// Nobody is known to have been refused.
        fileprivate var isStrangers: Bool { sample.subject == nil && sample.user == nil }

        fileprivate init(_ denial: Denial, as key: Key) {
            self.key = key
            sample = denial
            (first, last, count) = (denial.at, denial.at, 1)
            addresses = (denial.address?.description).map { [$0] } ?? []
            credentials = denial.credentialID.map { [$0] } ?? []
        }

        /// The same, as a part of another one.
        fileprivate init(_ group: Group, as key: Key) {
            self.key = key
            sample = group.sample
            (first, last, count) = (group.first, group.last, group.count)
            (addresses, credentials) = (group.addresses, group.credentials)
        }

        /// - Parameter other: of the same key; its sample is not kept.
        fileprivate mutating func join(_ other: Group) {
            first = min(first, other.first)
            last = max(last, other.last)
            count &+= other.count
            Self.note(other.addresses, in: &addresses)
            Self.note(other.credentials, in: &credentials)
        }

        private static func note(_ texts: [String], in list: inout [String]) {
            for text in texts where list.count < AccessRecord.maximumAddresses && !list.contains(text) {
                list.append(text)
            }
        }
    }

    static let window = Duration.seconds(2)
    /// Of strangers of many networks together.
    static let joinedWindow = Duration.seconds(60)
    /// Events about strangers in a row, after a rest.
    static let strangersBurst = 2_000
    /// Events about strangers a second in the long run: 400 days of them are some 50 GB.
    static let strangersPerSecond: Int64 = 2
    private static let maximumGroups = 8_192

    private var groups: [Key: Group] = [:]
    /// So many events about strangers may be made now.
    private var allowance = strangersBurst
    private var refilledAt: Timestamp?

    /// - Returns: false when there are too many different ones at once.
    mutating func add(_ denial: Denial) -> Bool {
        let who = Self.who(denial.subject, denial.user, denial.address)
        return place(Group(denial, as: Key(reason: denial.reason, route: denial.route, who: who)))
    }

    /// Takes the groups whose time is over, the oldest first.
    mutating func take(at now: Timestamp, all: Bool) -> [Group] {
        func isDue(_ group: Group) -> Bool {
            all || now - group.first >= (group.key.who == nil ? Self.joinedWindow : Self.window) || group.first > now
        }
        var due = groups.values.filter(isDue)
        guard !due.isEmpty else { return [] }
        groups = groups.filter { !isDue($0.value) }
        due = withinAllowance(due, at: now)
        // Those that had to join others just now.
        if all {
            due += groups.values
            groups = [:]
        }
        return due.sorted { $0.first < $1.first }
    }

    /// Puts groups back that could not be written.
    ///
    /// - Returns: how many denials found no place.
    mutating func putBack(_ taken: ArraySlice<Group>) -> Int64 {
        var lost: Int64 = 0
        for group in taken {
            if Self.costs(group) { allowance = min(allowance + 1, Self.strangersBurst) }
            if !place(group) { lost &+= group.count }
        }
        return lost
    }

    /// - Returns: false when there is no place for it.
    private mutating func place(_ group: Group) -> Bool {
        // Strangers never take the places of people who are known.
        let bound = group.isStrangers ? Self.maximumGroups / 2 : Self.maximumGroups
        guard groups[group.key] != nil || groups.count < bound else {
            guard group.isStrangers else { return false }
            join(Self.joined(group))
            return true
        }
        join(group)
        return true
    }

    private mutating func join(_ group: Group) {
        // The older one's sample is kept.
        guard var known = groups[group.key] else {
            groups[group.key] = group
            return
        }
        if known.first <= group.first {
            known.join(group)
            groups[group.key] = known
        } else {
            var older = group
            older.join(known)
            groups[group.key] = older
        }
    }

    // MARK: Strangers

    private static func joined(_ group: Group) -> Group {
        Group(group, as: Key(reason: group.key.reason, route: group.key.route, who: nil))
    }

    private static func costs(_ group: Group) -> Bool { group.isStrangers && group.key.who != nil }

    /// Has strangers beyond the allowance join one another; those who came most often keep an event of their own.
    private mutating func withinAllowance(_ due: [Group], at now: Timestamp) -> [Group] {
        refill(now)
        var strangers = due.filter(Self.costs)
        guard strangers.count > allowance else {
            allowance -= strangers.count
            return due
        }
        strangers.sort { ($0.count, $1.first) > ($1.count, $0.first) }
        for group in strangers[allowance...] { join(Self.joined(group)) }
        let own = Array(strangers[..<allowance])
        allowance = 0
        return own + due.filter { !Self.costs($0) }
    }

    private mutating func refill(_ now: Timestamp) {
        guard let since = refilledAt, now > since else {
            refilledAt = now
            return
        }
        let gained = min((now - since).wholeMilliseconds / 1000, Int64(Self.strangersBurst)) * Self.strangersPerSecond
        guard gained > 0 else { return }
        allowance = min(allowance + Int(gained), Self.strangersBurst)
        refilledAt = now
    }

    // MARK: Events

    static func event(_ group: Group) -> (event: NewAuditEvent, actor: AuditActor) {
        let sample = group.sample
        var metadata: [String: AuditValue] = [
            "count": .integer(group.count), "first": .string(group.first.rfc3339), "last": .string(group.last.rfc3339),
        ]
        if group.addresses.count > 1 { metadata["addresses"] = .strings(group.addresses) }
        if group.key.who == nil { metadata["many_networks"] = .boolean(true) }
        if let credential = group.credentials.first, group.credentials.count == 1 {
            metadata["credential"] = .string(credential)
        } else if !group.credentials.isEmpty {
            metadata["credentials"] = .strings(group.credentials)
        }
        let event = NewAuditEvent(
            .requestDenied, success: false, reason: sample.reason?.rawValue, user: sample.user, userID: sample.subject,
            route: sample.route, metadata: metadata)
        let actor = AuditActor(
            sample.user ?? "anonymous", address: group.addresses.count > 1 ? nil : sample.address,
            requestID: sample.requestID)
        return (event, actor)
    }

    /// Who is meant: a subject, else a user, else a network.
    static func who(_ subject: String?, _ user: String?, _ address: IPAddress?) -> String {
        if let subject { return "subject \(subject)" }
        if let user { return "user \(user)" }
        return "address \(addressClass(address))"
    }

    /// The network that strangers are told apart by: /24, or /64 of IPv6.
    static func addressClass(_ address: IPAddress?) -> String {
        guard let address else { return "unknown" }
        switch address.family {
        case .v4: return "v4 \(address.bits >> 8)"
        case .v6: return "v6 \(address.bits >> 64)"
        }
    }
}
