public import Core

/// A session as it is stored. Until sign-in exists each is behind one access token that the operator issued.
struct SessionRecord: JSONRecord, Equatable {
    enum Kind: String, Codable {
        case token
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

    /// Until then the record stays, so that a refusal can say why.
    var freeAt: Timestamp { expiresAt + .seconds(86_400) }
}

/// A session as it is shown.
public struct Session: Encodable, Sendable, Equatable {
    /// Names the session; not secret.
    public let id: String
    /// `token`: behind an access token that the operator issued.
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

    init(_ record: SessionRecord, username: String?, lastUse: LastUseRecord?) {
        id = record.id
        kind = record.kind.rawValue
        userID = record.userID
        self.username = username
        createdAt = record.createdAt
        expiresAt = record.expiresAt
        revokedAt = record.revokedAt
        lastActivity = lastUse?.at
        ipAddress = lastUse?.address
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, username
        case userID = "user_id"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case revokedAt = "revoked_at"
        case lastActivity = "last_activity"
        case ipAddress = "ip_address"
    }
}
