public import Core
internal import Cryptography

/// A link between an identity at a provider and an account. Whose it is never changes: another account's is removed
/// there, proved anew, and made here.
struct SocialAccountRecord: JSONRecord, Equatable {
    var id: String
    var userID: String
    /// The provider's id in the configuration when the link was made.
    var provider: String
    var issuer: String
    var subject: String
    /// As the provider said it when the link was made.
    var email: String?
    var linkedAt: Timestamp
    /// When the provider last said that its sessions are over, or that it does not let this person in: what it had
    /// proved before is worth nothing.
    var endedAt: Timestamp?
}

/// A link as it is shown.
public struct SocialAccount: Encodable, Sendable, Equatable {
    public let id: String
    public let provider: String
    public let issuer: String
    public let subject: String
    public let email: String?
    public let linkedAt: Timestamp

    init(_ record: SocialAccountRecord) {
        id = record.id
        provider = record.provider
        issuer = record.issuer
        subject = record.subject
        email = record.email
        linkedAt = record.linkedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, provider, issuer, subject, email
        case linkedAt = "linked_at"
    }
}

/// By which link a session began, so that the provider can end it.
struct FederatedSession: Codable, Equatable {
    /// The link's id.
    var link: String
    /// The session at the provider.
    var sessionID: String?
    /// What the row of `sessions_by_provider` begins with; nil when the session there has no name.
    var place: String?

    init(link: String, issuer: String, sessionID: String?) {
        self.link = link
        self.sessionID = sessionID
        place = sessionID.map { Self.place(issuer: issuer, sessionID: $0) }
    }

    /// A digest, since both may be longer than a key.
    static func place(issuer: String, sessionID: String) -> String {
        Hexadecimal.encode(SHA256.digest("\(issuer.utf8.count) \(issuer) \(sessionID)").bytes)
    }
}
