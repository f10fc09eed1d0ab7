public import Core
internal import Cryptography

/// Whom a block keeps out.
public enum BlockSubject: Sendable, Equatable {
    /// Whoever comes with this address, local or foreign, verified or not.
    case email(EmailAddress)
    /// One identity of a foreign issuer.
    case subject(issuer: String, subject: String)

    /// The row in table `blocks`: a digest, since an issuer and a subject may be longer than a key.
    var key: [UInt8] {
        switch self {
        case .email(let address): Self.emailText(address.canonical).key
        case .subject(let issuer, let subject): Self.digest(["subject", issuer, subject])
        }
    }

    /// Makes the key from an address that is canonical already.
    struct EmailText {
        let canonical: String
        var key: [UInt8] { BlockSubject.digest(["email", canonical]) }
    }

    static func emailText(_ canonical: String) -> EmailText { EmailText(canonical: canonical) }

    // Each part behind its length, so that no two subjects share their bytes.
    fileprivate static func digest(_ parts: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in parts {
            bytes.append(contentsOf: withUnsafeBytes(of: UInt32(clamping: part.utf8.count).bigEndian) { Array($0) })
            bytes.append(contentsOf: part.utf8)
        }
        return SHA256.digest(bytes).bytes
    }
}

/// A block as it is stored.
struct BlockRecord: JSONRecord, Equatable {
    var email: String?
    var issuer: String?
    var subject: String?
    var note: String
    var actor: String
    var createdAt: Timestamp
    /// The account whose disabling set the block; enabling it lifts the block again, as does another account with the
    /// address when this one is gone.
    var disabledUser: String?
}

/// A block as it is shown.
public struct Block: Encodable, Sendable, Equatable {
    public let email: String?
    public let issuer: String?
    public let subject: String?
    /// Why, in the operator's words.
    public let note: String
    /// Who set it.
    public let actor: String
    public let createdAt: Timestamp

    init(_ record: BlockRecord) {
        email = record.email
        issuer = record.issuer
        subject = record.subject
        note = record.note
        actor = record.actor
        createdAt = record.createdAt
    }

    private enum CodingKeys: String, CodingKey {
        case email, issuer, subject, note, actor
        case createdAt = "created_at"
    }
}
