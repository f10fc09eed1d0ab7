/// The kinds of key pairs that are supported.
public enum KeyType: Sendable, Hashable, CaseIterable {
    case rsa, p256, p384, p521, ed25519

    /// The length of a coordinate, and of each half of a signature, on the curve; nil for RSA and Ed25519.
    public var coordinateBytes: Int? {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        case .rsa, .ed25519: nil
        }
    }

    /// libcrypto's name for the curve; nil for RSA and Ed25519.
    var groupName: String? {
        switch self {
        case .p256: "prime256v1"
        case .p384: "secp384r1"
        case .p521: "secp521r1"
        case .rsa, .ed25519: nil
        }
    }
}

/// A signature scheme with all its parameters, so that nothing of it is left to whoever made the signature.
public enum SignatureAlgorithm: Sendable, Hashable {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    case rsaPKCS1(HashFunction)
    /// RSASSA-PSS with MGF1 over the same hash and a salt as long as the digest (RFC 7518 section 3.5).
    case rsaPSS(HashFunction)
    /// ECDSA on P-256, P-384 or P-521 with SHA-256, SHA-384 or SHA-512; the signature is `r || s`, each as long as a
    /// coordinate (RFC 7518 section 3.4).
    case ecdsaP256, ecdsaP384, ecdsaP521
    /// Ed25519 (RFC 8032), 64 bytes.
    case ed25519

    /// The only type of key that it goes with.
    public var keyType: KeyType {
        switch self {
        case .rsaPKCS1, .rsaPSS: .rsa
        case .ecdsaP256: .p256
        case .ecdsaP384: .p384
        case .ecdsaP521: .p521
        case .ed25519: .ed25519
        }
    }

    /// The hash that is taken of the message first; nil for Ed25519, which takes the message itself.
    var hash: HashFunction? {
        switch self {
        case .rsaPKCS1(let hash), .rsaPSS(let hash): hash
        case .ecdsaP256: .sha256
        case .ecdsaP384: .sha384
        case .ecdsaP521: .sha512
        case .ed25519: nil
        }
    }

    /// Where a key keeps the contexts for it: six places for RSA, one for the others.
    var slot: Int {
        switch self {
        case .rsaPKCS1(.sha256), .ecdsaP256, .ecdsaP384, .ecdsaP521, .ed25519: 0
        case .rsaPKCS1(.sha384): 1
        case .rsaPKCS1(.sha512): 2
        case .rsaPSS(.sha256): 3
        case .rsaPSS(.sha384): 4
        case .rsaPSS(.sha512): 5
        }
    }
}
