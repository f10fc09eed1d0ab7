internal import COpenSSL
internal import Core

/// A public key that signatures are verified with. Always a usable one: RSA of 2048 to 8192 bits, a point on its curve.
/// One object serves all threads.
public final class PublicKey: Sendable {
    /// What it is the key of.
    public let type: KeyType
    /// Its numbers.
    public let components: PublicKeyComponents
    private let handle: KeyHandle

    /// - Throws: `weakKey`, `invalidKey`, `unsupportedKey`, `library`.
    public init(_ components: PublicKeyComponents) throws(CryptographyError) {
        let (key, type) = try KeyBuilder.publicKey(components)
        self.type = type
        self.components = components
        handle = KeyHandle(takingOwnership: key, type: type, signing: false)
    }

    /// Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1) with nothing after it.
    ///
    /// - Throws: `malformedKey`, and what ``init(_:)`` throws.
    public convenience init(der: [UInt8]) throws(CryptographyError) {
        try self.init(try Self.components(der: der))
    }

    /// Reads a `PUBLIC KEY` block (RFC 7468 section 13).
    ///
    /// - Throws: `malformedKey`, and what ``init(_:)`` throws.
    public convenience init(pem: String) throws(CryptographyError) {
        guard let der = PEM.decode(pem, label: PEM.publicKey) else {
            throw CryptographyError(.malformedKey, "the text is no PEM block named \(PEM.publicKey)")
        }
        try self.init(der: der)
    }

    /// The numbers only, so that whatever else the encoding said (parameters of the curve) has no effect.
    private static func components(der: [UInt8]) throws(CryptographyError) -> PublicKeyComponents {
        let (decoded, rest) = der.withUnsafeBufferPointer { der in
            var position = der.baseAddress
            let key = d2i_PUBKEY(nil, &position, der.count)
            return (key, der.count - (position.flatMap { now in der.baseAddress.map { now - $0 } } ?? 0))
        }
        let key = try check(decoded, "the bytes are no public key", as: .malformedKey)
        defer { EVP_PKEY_free(key) }
        guard rest == 0 else { throw CryptographyError(.malformedKey, "bytes follow the public key") }
        guard let type = KeyBuilder.type(of: key) else {
            throw CryptographyError(.unsupportedKey, "only RSA, P-256, P-384, P-521 and Ed25519 keys are supported")
        }
        return try KeyReader.components(of: key, type: type)
    }

    /// The SubjectPublicKeyInfo.
    ///
    /// - Throws: `library`.
    public func der() throws(CryptographyError) -> [UInt8] {
        defer { withExtendedLifetime(handle) {} }
        let count = i2d_PUBKEY(handle.key, nil)
        guard count > 0 else { throw .draining(.library, "the public key cannot be written") }
        var der = [UInt8](repeating: 0, count: Int(count))
        let written = der.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            return i2d_PUBKEY(handle.key, &position)
        }
        guard written == count else { throw .draining(.library, "the public key cannot be written") }
        return der
    }

    /// The `PUBLIC KEY` block.
    ///
    /// - Throws: `library`.
    public func pem() throws(CryptographyError) -> String {
        PEM.encode(try der(), label: PEM.publicKey)
    }

    /// Verifies `signature`; whatever is wrong with it, the answer is no.
    ///
    /// - Parameter signature: for ECDSA `r || s`.
    public func verify(_ signature: Span<UInt8>, of message: Span<UInt8>, algorithm: SignatureAlgorithm) -> Bool {
        guard algorithm.keyType == type, signature.count > 0 else { return false }
        guard let width = type.coordinateBytes else { return verifyPlain(signature, of: message, algorithm: algorithm) }
        guard let der = ECDSASignature.der(fromRaw: signature, width: width) else { return false }
        return verifyPlain(der.span, of: message, algorithm: algorithm)
    }

    private func verifyPlain(
        _ signature: Span<UInt8>, of message: Span<UInt8>, algorithm: SignatureAlgorithm
    ) -> Bool {
        let verified = handle.withContext(for: algorithm) { context -> Bool? in
            signature.withUnsafeBufferPointer { signature in
                guard let hash = algorithm.hash else { return verifyEd25519(signature, of: message) }
                return context.withDigest(of: message, by: hash) { digest, count in
                    EVP_PKEY_verify(context.signature, signature.baseAddress, signature.count, digest, count) == 1
                        ? true : nil
                }
            }
        }
        return verified == true
    }

    private func verifyEd25519(_ signature: UnsafeBufferPointer<UInt8>, of message: Span<UInt8>) -> Bool? {
        defer { withExtendedLifetime(handle) {} }
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        return message.withUnsafeBufferPointer { message in
            guard EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, handle.key, nil) == 1,
                EVP_DigestVerify(context, signature.baseAddress, signature.count, message.baseAddress, message.count)
                    == 1
            else { return nil }
            return true
        }
    }
}
