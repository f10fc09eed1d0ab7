internal import COpenSSL
public import Core

/// A key pair that signatures are made with. One object serves all threads; it is never printed.
public final class PrivateKey: Sendable, CustomStringConvertible {
    /// What it is the key of.
    public let type: KeyType
    /// The half that others may have.
    public let publicKey: PublicKey
    private let handle: KeyHandle

    /// A new key pair.
    ///
    /// - Parameter rsaBits: 2048 to 8192; of no effect for the other types.
    /// - Throws: `weakKey`, `library`.
    public static func generate(_ type: KeyType, rsaBits: Int = 2048) throws(CryptographyError) -> PrivateKey {
        try PrivateKey(takingOwnership: try KeyBuilder.generate(type, rsaBits: rsaBits), type: type)
    }

    /// - Throws: `weakKey`, `invalidKey` (also when the halves do not belong together), `unsupportedKey`, `library`.
    public convenience init(_ components: PrivateKeyComponents) throws(CryptographyError) {
        let (key, type) = try KeyBuilder.privateKey(components)
        try self.init(takingOwnership: key, type: type)
    }

    /// Reads an unencrypted PKCS #8 PrivateKeyInfo (RFC 5208 section 5) with nothing after it.
    ///
    /// - Throws: `malformedKey`, `weakKey`, `unsupportedKey`, `library`.
    public convenience init(pkcs8: SecretBytes) throws(CryptographyError) {
        let key = pkcs8.withUnsafeBytes { bytes -> OpaquePointer? in
            var position = bytes.bindMemory(to: UInt8.self).baseAddress
            let start = position
            guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &position, bytes.count) else { return nil }
            defer { PKCS8_PRIV_KEY_INFO_free(info) }
            guard let start, let end = position, end - start == bytes.count else { return nil }
            return EVP_PKCS82PKEY(info)
        }
        let read = try check(key, "the bytes are no PKCS #8 private key", as: .malformedKey)
        guard let type = KeyBuilder.type(of: read) else {
            EVP_PKEY_free(read)
            throw CryptographyError(.unsupportedKey, "only RSA, P-256, P-384, P-521 and Ed25519 keys are supported")
        }
        try self.init(takingOwnership: read, type: type)
    }

    /// Reads a `PRIVATE KEY` block (RFC 7468 section 10); an encrypted one is refused.
    ///
    /// - Throws: as ``init(pkcs8:)``.
    public convenience init(pem: String) throws(CryptographyError) {
        guard var der = PEM.decode(pem, label: PEM.privateKey) else {
            throw CryptographyError(.malformedKey, "the text is no PEM block named \(PEM.privateKey)")
        }
        defer { wipe(&der) }
        try self.init(pkcs8: SecretBytes(copying: der))
    }

    private init(takingOwnership key: OpaquePointer, type: KeyType) throws(CryptographyError) {
        handle = KeyHandle(takingOwnership: key, type: type, signing: true)
        self.type = type
        publicKey = try PublicKey(try KeyReader.components(of: key, type: type))
    }

    /// The PKCS #8 PrivateKeyInfo, to be sealed before it is stored.
    ///
    /// - Throws: `library`.
    public func pkcs8() throws(CryptographyError) -> SecretBytes {
        defer { withExtendedLifetime(handle) {} }
        let info = try check(EVP_PKEY2PKCS8(handle.key), "the private key cannot be written")
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        let count = i2d_PKCS8_PRIV_KEY_INFO(info, nil)
        guard count > 0 else { throw .draining(.library, "the private key cannot be written") }
        var der = [UInt8](repeating: 0, count: Int(count))
        defer { wipe(&der) }
        let written = der.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            return i2d_PKCS8_PRIV_KEY_INFO(info, &position)
        }
        guard written == count else { throw .draining(.library, "the private key cannot be written") }
        return SecretBytes(copying: der)
    }

    /// Signs `message`.
    ///
    /// - Returns: for ECDSA `r || s`.
    /// - Throws: `algorithmMismatch`, `library`.
    public func sign(_ message: Span<UInt8>, algorithm: SignatureAlgorithm) throws(CryptographyError) -> [UInt8] {
        guard algorithm.keyType == type else {
            throw CryptographyError(.algorithmMismatch, "a key of type \(type) does not sign with \(algorithm)")
        }
        let made = handle.withContext(for: algorithm) { context -> [UInt8]? in
            guard let hash = algorithm.hash else { return signEd25519(message) }
            return context.withDigest(of: message, by: hash) { digest, count in
                var length = Int(EVP_PKEY_get_size(handle.key))
                var signature = [UInt8](repeating: 0, count: length)
                guard EVP_PKEY_sign(context.signature, &signature, &length, digest, count) == 1,
                    length <= signature.count
                else { return nil }
                signature.removeLast(signature.count - length)
                return signature
            }
        }
        guard let signature = made else { throw CryptographyError(.library, "libcrypto made no signature") }
        guard let width = type.coordinateBytes else { return signature }
        guard let raw = ECDSASignature.raw(fromDER: signature.span, width: width) else {
            throw CryptographyError(.library, "libcrypto made a signature of an unknown form")
        }
        return raw
    }

    private func signEd25519(_ message: Span<UInt8>) -> [UInt8]? {
        defer { withExtendedLifetime(handle) {} }
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 64)
        var length = signature.count
        let result = message.withUnsafeBufferPointer { message -> CInt in
            guard EVP_DigestSignInit_ex(context, nil, nil, nil, nil, handle.key, nil) == 1 else { return 0 }
            return EVP_DigestSign(context, &signature, &length, message.baseAddress, message.count)
        }
        return result == 1 && length == signature.count ? signature : nil
    }

    /// Never the key.
    public var description: String { "PrivateKey(\(type))" }
}
