public import Core

/// A session as it is stored.
struct SessionRecord: JSONRecord, Equatable {
    enum Kind: String, Codable {
        /// Behind one access token that the operator issued: good for app routes only.
        case token
        /// A person's sign-in with a browser: two cookies.
        case browser
        /// A person's sign-in with an API client: access tokens and a refresh token.
        case api
    }

    var id: String
    var kind: Kind
    var userID: String
    /// The user's epoch when the session began.
    var epoch: UInt64
    /// Who made it.
    var actor: String
    var createdAt: Timestamp
    var expiresAt: Timestamp
    var revokedAt: Timestamp?
    var amr: [String]
    /// Proved factors; none for a token that the operator issued.
    var factors: Int
    var authenticatedAt: Timestamp?
    /// When a code or a passkey was last proved; nil: never in this session.
    var secondFactorAt: Timestamp?
    /// The digest of the link that lets a new factor be set up after a reset, in hexadecimal.
    var enrolmentLink: String?
    var deviceName: String?
    var userAgent: String?
    /// From where it began.
    var address: String?
    /// It ends when it was not used for so many milliseconds; nil: only at ``expiresAt``.
    var idle: Int64?
    /// "Remember me" was ticked.
    var remembered: Bool?
    /// Raised with each pair of new secrets.
    var generation: UInt64?
    /// SHA-256 of the secrets that are good now, in hexadecimal: to be removed with the session.
    var secrets: [String]?
    /// It began by a provider.
    var federated: FederatedSession?
    /// The digest by which its browser is known again, in hexadecimal; nil: by none.
    var device: String?

    /// Until then the record stays, so that a refusal can say why.
    var freeAt: Timestamp { min(revokedAt ?? expiresAt, expiresAt) + .seconds(86_400) }

    /// Made by a person, so that it may change its account.
    var isSignIn: Bool { kind != .token }
}

/// A session as it is shown.
public struct Session: Encodable, Sendable, Equatable {
    /// Names the session; not secret.
    public let id: String
    /// `token`: behind an access token that the operator issued; `browser`, `api`: a person's sign-in.
    public let kind: String
    public let userID: String
    /// Nil when the account was deleted.
    public let username: String?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp
    public let revokedAt: Timestamp?
    /// As far as it was written: at most some ten seconds behind.
    public let lastActivity: Timestamp?
    /// From where it was last used.
    public let ipAddress: String?
    /// What the person or the client calls the device.
    public let deviceName: String?
    /// What the client said it is when the session began.
    public let userAgent: String?
    /// Proved factors.
    public let factors: Int
    /// RFC 8176 authentication method references.
    public let amr: [String]
    /// When the person last proved themselves.
    public let authenticatedAt: Timestamp?
    /// It is the one that asks; false where nobody asks.
    public let isCurrent: Bool

    init(_ record: SessionRecord, username: String?, lastUse: LastUseRecord?, current: String? = nil) {
        id = record.id
        kind = record.kind.rawValue
        userID = record.userID
        self.username = username
        createdAt = record.createdAt
        expiresAt = record.expiresAt
        revokedAt = record.revokedAt
        lastActivity = lastUse?.at ?? record.authenticatedAt
        ipAddress = lastUse?.address ?? record.address
        deviceName = record.deviceName
        userAgent = record.userAgent
        factors = record.factors
        amr = record.amr
        authenticatedAt = record.authenticatedAt
        isCurrent = record.id == current
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, username, factors, amr
        case deviceName = "device_name"
        case userAgent = "user_agent"
        case authenticatedAt = "authenticated_at"
        case isCurrent = "is_current"
        case userID = "user_id"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case revokedAt = "revoked_at"
        case lastActivity = "last_activity"
        case ipAddress = "ip_address"
    }
}
