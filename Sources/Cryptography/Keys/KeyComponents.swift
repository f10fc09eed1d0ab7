public import Core

/// The numbers of a public key; integers are big endian.
public enum PublicKeyComponents: Sendable, Hashable {
    case rsa(modulus: [UInt8], exponent: [UInt8])
    /// A point on P-256, P-384 or P-521; both coordinates have the full length of the curve's field.
    case elliptic(KeyType, x: [UInt8], y: [UInt8])
    /// 32 bytes (RFC 8032 section 5.1.5).
    case ed25519([UInt8])
}

/// The numbers of a key pair; integers are big endian.
public enum PrivateKeyComponents: Sendable {
    /// With the factors and the values of the Chinese remainder theorem (RFC 8017 section 3.2).
    case rsa(
        modulus: [UInt8], exponent: [UInt8], privateExponent: SecretBytes, prime1: SecretBytes, prime2: SecretBytes,
        exponent1: SecretBytes, exponent2: SecretBytes, coefficient: SecretBytes)
    /// A point and the scalar that it belongs to.
    case elliptic(KeyType, x: [UInt8], y: [UInt8], scalar: SecretBytes)
    /// The 32-byte seed (RFC 8032 section 5.1.5).
    case ed25519(SecretBytes)
}
