public import Core
public import Cryptography

/// A key of a JWK set (RFC 7517) that signatures are verified with. Its type, and `alg` where it has one, fix the
/// algorithms that it is used for, whatever a token says.
public struct JWK: Sendable {
    enum Material: Sendable {
        case publicKey(PublicKey)
        case symmetric(SymmetricKey)
    }

    /// `kid`.
    public let keyID: String?
    /// `alg`; nil when every algorithm of the key's type is allowed.
    public let algorithm: JWSAlgorithm?
    let material: Material
    /// What makes it the same key; for a symmetric one it must not get out.
    let identity: SHA256Digest

    /// A public key, to be published or to verify with.
    ///
    /// - Parameter keyID: the thumbprint (RFC 7638) when nil.
    /// - Throws: `unusableKey` when the algorithm is not one for this type of key.
    public init(_ key: PublicKey, algorithm: JWSAlgorithm? = nil, keyID: String? = nil) throws(JOSEError) {
        identity = Thumbprint.digest(of: key)
        self.keyID = keyID ?? Base64URL.encode(identity.bytes)
        self.algorithm = algorithm
        material = .publicKey(key)
        try checkAlgorithm()
    }

    /// A secret that the operator shares with an issuer. There is no way from a fetched key set to here.
    ///
    /// - Throws: `unusableKey` when the secret is shorter than the digest of the algorithm (RFC 7518 section 3.2), or
    ///   than 32 bytes.
    public init(symmetric secret: SecretBytes, algorithm: JWSAlgorithm? = nil, keyID: String? = nil) throws(JOSEError) {
        do throws(CryptographyError) {
            material = .symmetric(try SymmetricKey(secret))
        } catch {
            throw JOSEError(.unusableKey, error.message)
        }
        identity = secret.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { SHA256.digest($0.span) }
        }
        self.keyID = keyID
        self.algorithm = algorithm
        try checkAlgorithm()
    }

    init(parsed key: PublicKey, algorithm: JWSAlgorithm?, keyID: String?) throws(JOSEError) {
        identity = Thumbprint.digest(of: key)
        self.keyID = keyID
        self.algorithm = algorithm
        material = .publicKey(key)
        try checkAlgorithm()
    }

    private func checkAlgorithm() throws(JOSEError) {
        if let algorithm, !supports(algorithm) {
            throw JOSEError(.unusableKey, "a key of this type or length is not used with \(algorithm.rawValue)")
        }
    }

    /// The key may be used with the algorithm.
    public func supports(_ algorithm: JWSAlgorithm) -> Bool {
        if let fixed = self.algorithm, fixed != algorithm { return false }
        switch material {
        case .publicKey(let key): return algorithm.signature?.keyType == key.type
        case .symmetric(let key): return algorithm.macHash.map { key.byteCount >= $0.byteCount } ?? false
        }
    }

    /// The thumbprint of RFC 7638 with SHA-256, in base64url; nil for a symmetric key, whose thumbprint would help to
    /// guess it.
    public var thumbprint: String? {
        switch material {
        case .publicKey: Base64URL.encode(identity.bytes)
        case .symmetric: nil
        }
    }

    /// They are the same key under the same name for the same use.
    public func isSame(as other: JWK) -> Bool {
        identity == other.identity && keyID == other.keyID && algorithm == other.algorithm
    }

    /// Verifies without looking at `kid` and without looking whether the algorithm is wanted at all.
    func verify(_ signature: Span<UInt8>, of message: Span<UInt8>, algorithm: JWSAlgorithm) -> Bool {
        guard supports(algorithm) else { return false }
        switch material {
        case .publicKey(let key):
            guard let scheme = algorithm.signature else { return false }
            return key.verify(signature, of: message, algorithm: scheme)
        case .symmetric(let key):
            guard let hash = algorithm.macHash else { return false }
            return key.verify(signature, of: message, hash: hash)
        }
    }

    /// The members of a public key as they are published; a symmetric key writes none.
    func write(to writer: inout JSONWriter) {
        guard case .publicKey(let key) = material else { return }
        Thumbprint.writeRequired(of: key, to: &writer)
        writer.member("use", "sig")
        writer.member("kid", keyID)
        writer.member("alg", algorithm?.rawValue)
    }
}

/// RFC 7638 section 3.2: the required members in the order of their names.
enum Thumbprint {
    static func digest(of key: PublicKey) -> SHA256Digest {
        var writer = JSONWriter()
        writeRequired(of: key, to: &writer)
        return SHA256.digest(writer.finish())
    }

    static func writeRequired(of key: PublicKey, to writer: inout JSONWriter) {
        switch key.components {
        case .rsa(let modulus, let exponent):
            writer.member("e", Base64URL.encode(exponent.drop { $0 == 0 }))
            writer.member("kty", "RSA")
            writer.member("n", Base64URL.encode(modulus.drop { $0 == 0 }))
        case .elliptic(let type, let x, let y):
            writer.member("crv", JWKCurve.name(of: type))
            writer.member("kty", "EC")
            writer.member("x", Base64URL.encode(x))
            writer.member("y", Base64URL.encode(y))
        case .ed25519(let point):
            writer.member("crv", "Ed25519")
            writer.member("kty", "OKP")
            writer.member("x", Base64URL.encode(point))
        }
    }
}

/// The names of the curves (RFC 7518 section 6.2.1.1).
enum JWKCurve {
    static func name(of type: KeyType) -> String? {
        switch type {
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        case .rsa, .ed25519: nil
        }
    }

    static func type(named name: String) -> KeyType? {
        KeyType.allCases.first { Self.name(of: $0) == name }
    }
}
