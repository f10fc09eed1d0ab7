internal import Core

/// Denials that become one event: the same reason, route and user (or, of nobody known, address class) within two
/// seconds.
struct DenialGroups {
    fileprivate struct Key: Hashable {
        let reason: Reason?
        let route: String?
        let who: String
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
    }

    static let window = Duration.seconds(2)
    private static let maximumGroups = 8_192

    private var groups: [Key: Group] = [:]

    var isEmpty: Bool { groups.isEmpty }

    /// - Returns: false when there are too many different ones at once.
    mutating func add(_ denial: Denial) -> Bool {
        let key = Key(
            reason: denial.reason, route: denial.route, who: Self.who(denial.subject, denial.user, denial.address))
        guard groups[key] != nil || groups.count < Self.maximumGroups else { return false }
        var group =
            groups[key]
            ?? Group(
                key: key, sample: denial, first: denial.at, last: denial.at, count: 0, addresses: [], credentials: [])
        group.first = min(group.first, denial.at)
        group.last = max(group.last, denial.at)
        group.count &+= 1
        Self.note(denial.address?.description, in: &group.addresses)
        Self.note(denial.credentialID, in: &group.credentials)
        groups[key] = group
        return true
    }

    /// Takes the groups whose time is over, the oldest first.
    mutating func take(at now: Timestamp, all: Bool) -> [Group] {
        func isDue(_ group: Group) -> Bool { all || now - group.first >= Self.window || group.first > now }
        let due = groups.values.filter(isDue)
        guard !due.isEmpty else { return [] }
        groups = groups.filter { !isDue($0.value) }
        return due.sorted { $0.first < $1.first }
    }

    /// Puts groups back that could not be written.
    ///
    /// - Returns: how many denials found no place.
    mutating func putBack(_ taken: ArraySlice<Group>) -> Int64 {
        var lost: Int64 = 0
        for var group in taken {
            if let newer = groups[group.key] {
                group.first = min(group.first, newer.first)
                group.last = max(group.last, newer.last)
                group.count &+= newer.count
                for address in newer.addresses { Self.note(address, in: &group.addresses) }
                for credential in newer.credentials { Self.note(credential, in: &group.credentials) }
            } else if groups.count >= Self.maximumGroups {
                lost &+= group.count
                continue
            }
            groups[group.key] = group
        }
        return lost
    }

    static func event(_ group: Group) -> (event: NewAuditEvent, actor: AuditActor) {
        let sample = group.sample
        var metadata: [String: AuditValue] = [
            "count": .integer(group.count), "first": .string(group.first.rfc3339), "last": .string(group.last.rfc3339),
        ]
        if group.addresses.count > 1 { metadata["addresses"] = .strings(group.addresses) }
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

    private static func note(_ text: String?, in list: inout [String]) {
        guard let text, list.count < AccessRecord.maximumAddresses, !list.contains(text) else { return }
        list.append(text)
    }
}
