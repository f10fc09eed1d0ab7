public import Core

/// Who does an operation, for the audit log.
public struct AuditActor: Sendable {
    /// `cli:` and the system user, `admin:` and a user name, a user name, or `system`.
    public var name: String
    /// Where the request came from.
    public var address: IPAddress?
    /// What the client said it is.
    public var userAgent: String?
    /// The request's id.
    public var requestID: String?
    /// The session that was used.
    public var session: String?

    /// An actor; whatever there is no request for stays nil.
    public init(
        _ name: String, address: IPAddress? = nil, userAgent: String? = nil, requestID: String? = nil,
        session: String? = nil
    ) {
        self.name = name
        self.address = address
        self.userAgent = userAgent
        self.requestID = requestID
        self.session = session
    }

    /// Gatehouse itself.
    public static let system = AuditActor("system")
}
