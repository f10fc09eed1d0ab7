internal import Cryptography

/// The signature algorithms of RFC 7518 section 3.1 and RFC 8037; there is no case for `none`.
public enum JWSAlgorithm: String, Sendable, Hashable, CaseIterable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"

    /// It works with a secret that both sides know.
    public var isSymmetric: Bool { macHash != nil }

    /// The hash of HS256, HS384 and HS512; nil for the others.
    var macHash: HashFunction? {
        switch self {
        case .hs256: .sha256
        case .hs384: .sha384
        case .hs512: .sha512
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .es256, .es384, .es512, .edDSA: nil
        }
    }

    /// The scheme; nil for HS256, HS384 and HS512.
    var signature: SignatureAlgorithm? {
        switch self {
        case .hs256, .hs384, .hs512: nil
        case .rs256: .rsaPKCS1(.sha256)
        case .rs384: .rsaPKCS1(.sha384)
        case .rs512: .rsaPKCS1(.sha512)
        case .ps256: .rsaPSS(.sha256)
        case .ps384: .rsaPSS(.sha384)
        case .ps512: .rsaPSS(.sha512)
        case .es256: .ecdsaP256
        case .es384: .ecdsaP384
        case .es512: .ecdsaP521
        case .edDSA: .ed25519
        }
    }

    /// The algorithm that a key of this type signs with when nobody says otherwise.
    static func usual(for type: KeyType) -> JWSAlgorithm {
        switch type {
        case .rsa: .rs256
        case .p256: .es256
        case .p384: .es384
        case .p521: .es512
        case .ed25519: .edDSA
        }
    }
}
