public import Core
internal import Cryptography

/// What a signing key signs. Keys of one purpose never verify what another one's signed.
public enum SigningPurpose: String, Sendable, Codable, CaseIterable {
    /// Access tokens of ours; their keys are published nowhere.
    case access
    /// The `Gatehouse-Assertion` that apps get; their keys are at `/.auth/jwks.json`.
    case assertion
}

/// A signing key as it is stored: ES256, its private half sealed under the master key.
struct SigningKeyRecord: JSONRecord, Equatable {
    var kid: String
    var purpose: SigningPurpose
    var createdAt: Timestamp
    /// When it takes over; published before.
    var activeFrom: Timestamp
    /// SubjectPublicKeyInfo in base 64.
    var publicKey: String
    /// PKCS #8, sealed, in base 64.
    var sealedKey: String

    func open(with keys: MasterKeys) throws -> PrivateKey {
        guard let sealed = Base64.decode(sealedKey) else { throw damaged }
        let plain = try keys.open(sealed, in: .signingKey, key: kid)
        return try PrivateKey(pkcs8: plain)
    }

    func openPublicKey() throws -> PublicKey {
        guard let der = Base64.decode(publicKey) else { throw damaged }
        return try PublicKey(der: der)
    }

    private var damaged: AccountsError {
        AccountsError(.damaged, "Signing key \(kid) is damaged: replace it with `gatehouse key retire \(kid)`.")
    }

    /// The same key, to take over at `time`.
    func active(from time: Timestamp) -> SigningKeyRecord {
        var record = self
        record.activeFrom = time
        return record
    }

    /// Makes a key pair that signs at once.
    static func make(
        _ purpose: SigningPurpose, kid: String, now: Timestamp, masterKeys: MasterKeys
    ) throws -> SigningKeyRecord {
        let key = try PrivateKey.generate(.p256)
        let plain = try key.pkcs8().withUnsafeBytes { Array($0) }
        let sealed = try masterKeys.seal(plain, in: .signingKey, key: kid)
        return SigningKeyRecord(
            kid: kid, purpose: purpose, createdAt: now, activeFrom: now,
            publicKey: Base64.encode(try key.publicKey.der()), sealedKey: Base64.encode(sealed))
    }
}

/// A signing key as it is shown; never its private half.
public struct SigningKey: Encodable, Sendable, Equatable {
    /// Where a key is in its life.
    public enum State: String, Encodable, Sendable {
        /// Published, not signing yet.
        case next
        case current
        /// Not signing any more, published until its last token has ended.
        case old
    }

    public let kid: String
    public let purpose: SigningPurpose
    public let state: State
    public let createdAt: Timestamp
    public let activeFrom: Timestamp

    init(_ record: SigningKeyRecord, state: State) {
        kid = record.kid
        purpose = record.purpose
        self.state = state
        createdAt = record.createdAt
        activeFrom = record.activeFrom
    }

    private enum CodingKeys: String, CodingKey {
        case kid, purpose, state
        case createdAt = "created_at"
        case activeFrom = "active_from"
    }
}
