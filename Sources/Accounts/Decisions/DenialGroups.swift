internal import Core

/// Denials that become one event: the same reason, route and user (or, of nobody known, address class) within two
/// seconds.
struct DenialGroups {
    private struct Key: Hashable {
        let reason: Reason
        let route: String?
        let who: String
    }

    private struct Group {
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
            reason: denial.reason, route: denial.route, who: denial.user ?? Self.addressClass(denial.address))
        guard groups[key] != nil || groups.count < Self.maximumGroups else { return false }
        var group =
            groups[key]
            ?? Group(sample: denial, first: denial.at, last: denial.at, count: 0, addresses: [], credentials: [])
        group.first = min(group.first, denial.at)
        group.last = max(group.last, denial.at)
        group.count &+= 1
        Self.note(denial.address?.description, in: &group.addresses)
        Self.note(denial.credentialID, in: &group.credentials)
        groups[key] = group
        return true
    }

    /// The events of the groups whose time is over, the oldest first.
    func due(at now: Timestamp, all: Bool) -> [(event: NewAuditEvent, actor: AuditActor)] {
        groups.values.filter { all || now - $0.first >= Self.window || $0.first > now }
            .sorted { $0.first < $1.first }.map(Self.event)
    }

    /// Forgets the groups that ``due(at:all:)`` gave, once they are written.
    mutating func removeDue(at now: Timestamp, all: Bool) {
        groups = groups.filter { !(all || now - $0.value.first >= Self.window || $0.value.first > now) }
    }

    private static func event(_ group: Group) -> (event: NewAuditEvent, actor: AuditActor) {
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
            .requestDenied, success: false, reason: sample.reason.rawValue, user: sample.user, userID: sample.subject,
            route: sample.route, metadata: metadata)
        let actor = AuditActor(
            sample.user ?? "anonymous", address: group.addresses.count > 1 ? nil : sample.address,
            requestID: sample.requestID)
        return (event, actor)
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
