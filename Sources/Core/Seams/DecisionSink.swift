/// A refusal of the hot path, to be gathered into the audit log.
public struct Denial: Sendable {
    /// Why.
    public var reason: Reason
    /// The route's name; nil when none matched.
    public var route: String?
    /// The user name, as far as it is known.
    public var user: String?
    /// The subject, as far as it is known.
    public var subject: String?
    /// The credential's id, as far as it is known.
    public var credentialID: String?
    /// The client's address; nil when it is not known.
    public var address: IPAddress?
    /// The request's id.
    public var requestID: String
    /// When.
    public var at: Timestamp

    /// All fields, named as they are.
    public init(
        reason: Reason, route: String?, user: String?, subject: String?, credentialID: String?, address: IPAddress?,
        requestID: String, at: Timestamp
    ) {
        self.reason = reason
        self.route = route
        self.user = user
        self.subject = subject
        self.credentialID = credentialID
        self.address = address
        self.requestID = requestID
        self.at = at
    }
}

/// Where the hot path leaves what the audit log must know. One instance a loop; its calls only put a value into
/// bounded memory of that loop, and what does not fit is counted.
public protocol DecisionSink: AnyObject {
    /// A request was refused.
    func denied(_ denial: Denial)
    /// A request with an identity was let through (for `access` events and `last used`).
    func allowed(_ identity: Identity, route: String, address: IPAddress?, at now: Timestamp)
    /// An identity was used for one of our own pages (for `last used` alone).
    func used(_ identity: Identity, address: IPAddress?, at now: Timestamp)
}
