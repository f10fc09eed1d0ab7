public import Core
internal import LMDB

/// A passkey or security key as it is stored, under the SHA-256 of its credential id.
struct PasskeyRecord: JSONRecord, Equatable {
    /// Names it to its owner.
    var id: String
    var userID: String
    /// In base 64 for URLs, as authenticators are asked for it.
    var credentialID: String
    var algorithm: PasskeyAlgorithm
    /// In base 64, as libfido2 takes it.
    var publicKey: String
    var counter: UInt32
    var name: String
    var createdAt: Timestamp
    var lastUsedAt: Timestamp?
    var backedUp: Bool
    /// How a browser reaches it.
    var transports: [String]
    /// `none`, `packed`, `fido-u2f`: what its registration was proved by.
    var attestation: String
}

/// A passkey as it is shown.
public struct Passkey: Sendable, Equatable {
    public let id: String
    public let name: String
    public let createdAt: Timestamp
    public let lastUsedAt: Timestamp?
    /// Its key is kept in a provider's cloud as well.
    public let backedUp: Bool

    init(_ record: PasskeyRecord) {
        id = record.id
        name = record.name
        createdAt = record.createdAt
        lastUsedAt = record.lastUsedAt
        backedUp = record.backedUp
    }
}

extension Proof {
    /// The word of RFC 8176 for a key whose private half does not leave its device, or may.
    private static func word(_ head: AuthenticatorData) -> String { head.mayBeBackedUp ? "swk" : "hwk" }

    /// A passkey alone: the thing that is held, and with verification also who holds it.
    static func passkey(_ head: AuthenticatorData) -> Proof {
        let one = Proof(amr: [word(head)], factors: 1)
        return head.isVerified ? one.adding(["user"]) : one
    }

    /// A passkey besides. Without verification it adds nothing to another passkey.
    func withPasskey(_ head: AuthenticatorData) -> Proof {
        let hasOther = amr.contains { !["hwk", "swk", "user", "mfa"].contains($0) }
        let words = [Self.word(head)] + (head.isVerified ? ["user"] : [])
        return adding(words, factors: hasOther || head.isVerified ? 2 : 1)
    }
}

extension Store {
    static let mostPasskeys = 20

    /// A user's passkeys, oldest first.
    func passkeys(
        of userID: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [(digest: [UInt8], record: PasskeyRecord)] {
        var found: [(digest: [UInt8], record: PasskeyRecord)] = []
        for key in try Tables.passkeysByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction) {
            guard let record = try Tables.passkeys.get(key.second, in: transaction) else { continue }
            found.append((key.second, record))
        }
        return found.sorted { ($0.record.createdAt, $0.record.id) < ($1.record.createdAt, $1.record.id) }
    }

    func removePasskeys(of userID: String, in transaction: borrowing WriteTransaction) throws {
        for key in try Tables.passkeysByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction) {
            try Tables.passkeys.delete(key.second, in: transaction)
            try Tables.passkeysByUser.delete(key, in: transaction)
        }
    }
}
