public import Core

/// Which events are wanted; what is nil does not narrow.
public struct AuditFilter: Sendable {
    /// Id, user name or e-mail address of a local user, or the name of a foreign one.
    public var user: String?
    /// `event_type`.
    public var type: String?
    /// `success`.
    public var success: Bool?
    /// The route's name.
    public var route: String?
    /// The client's address.
    public var address: Network?
    /// The request's id; of denials that were gathered into one event, the first one's.
    public var requestID: String?
    /// Not older.
    public var from: Timestamp?
    /// Older than this.
    public var to: Timestamp?
    /// At most so many.
    public var limit: Int?

    /// All fields, named as they are.
    public init(
        user: String? = nil, type: String? = nil, success: Bool? = nil, route: String? = nil, address: Network? = nil,
        requestID: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil, limit: Int? = nil
    ) {
        self.user = user
        self.type = type
        self.success = success
        self.route = route
        self.address = address
        self.requestID = requestID
        self.from = from
        self.to = to
        self.limit = limit
    }

    /// Everything but `user` and `limit`.
    func matches(_ event: AuditEvent) -> Bool {
        if let type, event.type != type { return false }
        if let success, event.success != success { return false }
        if let route, event.route != route { return false }
        if let requestID, event.requestID != requestID { return false }
        if let from, event.createdAt < from { return false }
        if let to, event.createdAt >= to { return false }
        if let address {
            guard let client = event.ipAddress.flatMap({ IPAddress($0) }) else {
                return event.addresses.contains { address.contains($0) }
            }
            return address.contains(client)
        }
        return true
    }
}

extension AuditEvent {
    /// The addresses of an event that stands for many requests.
    var addresses: [IPAddress] {
        guard case .strings(let texts) = metadata["addresses"] else { return [] }
        return texts.compactMap { IPAddress($0) }
    }
}
