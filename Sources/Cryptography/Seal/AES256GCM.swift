internal import COpenSSL
public import Core

/// AES-256 in Galois/counter mode (NIST SP 800-38D) with a random 96-bit nonce: good for 2^32 messages under one key.
///
/// ```
/// sealed:  | nonce, 12 bytes | ciphertext, as long as the plain text | tag, 16 bytes |
/// ```
public enum AES256GCM {
    /// The length of a key.
    public static let keyBytes = 32
    static let nonceBytes = 12
    static let tagBytes = 16
    /// How much longer the sealed form is.
    public static let overhead = nonceBytes + tagBytes

    // Immutable once fetched, and libcrypto only counts references to it, atomically.
    private nonisolated(unsafe) static let cipher = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)

    /// Seals `plain`.
    ///
    /// - Parameter associatedData: not stored, but must be the same at opening: where the value belongs.
    /// - Throws: `weakKey` (not 32 bytes), `randomUnavailable`, `library`.
    public static func seal(
        _ plain: [UInt8], key: SecretBytes, associatedData: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try seal(plain, key: key, nonce: try SecureRandom.bytes(nonceBytes), associatedData: associatedData)
    }

    /// As ``seal(_:key:associatedData:)-([UInt8],_,_)``, for a secret.
    public static func seal(
        _ plain: SecretBytes, key: SecretBytes, associatedData: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        var copy = plain.withUnsafeBytes { Array($0) }
        defer { wipe(&copy) }
        return try seal(copy, key: key, associatedData: associatedData)
    }

    /// Opens what `seal` made.
    ///
    /// - Throws: `sealBroken` for another key, other associated data or changed bytes; `weakKey`, `library`.
    public static func open(
        _ sealed: [UInt8], key: SecretBytes, associatedData: [UInt8]
    ) throws(CryptographyError) -> SecretBytes {
        guard sealed.count >= overhead else {
            throw CryptographyError(.sealBroken, "the sealed value is cut short")
        }
        let context = try start(key: key, nonce: Array(sealed[..<nonceBytes]), encrypting: false)
        defer { EVP_CIPHER_CTX_free(context) }
        try update(context, associatedData: associatedData)
        var plain = [UInt8](repeating: 0, count: sealed.count - overhead)
        defer { wipe(&plain) }
        try update(context, from: sealed, at: nonceBytes, count: plain.count, into: &plain, at: 0)
        var tag = Array(sealed[(sealed.count - tagBytes)...])
        let accepted = tag.withUnsafeMutableBytes {
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CInt(tagBytes), $0.baseAddress)
        }
        try check(accepted, "AES-GCM refused its tag")
        var rest = [UInt8](repeating: 0, count: 16)
        var written: CInt = 0
        let result = rest.withUnsafeMutableBufferPointer { EVP_CipherFinal_ex(context, $0.baseAddress, &written) }
        try check(result, "the value was sealed with another key, for another place, or was changed", as: .sealBroken)
        return SecretBytes(copying: plain)
    }

    /// With a nonce that the caller has never used with this key.
    static func seal(
        _ plain: [UInt8], key: SecretBytes, nonce: [UInt8], associatedData: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        let context = try start(key: key, nonce: nonce, encrypting: true)
        defer { EVP_CIPHER_CTX_free(context) }
        try update(context, associatedData: associatedData)
        var sealed = nonce + [UInt8](repeating: 0, count: plain.count + tagBytes)
        try update(context, from: plain, at: 0, count: plain.count, into: &sealed, at: nonceBytes)
        let tagStart = nonceBytes + plain.count
        let result = sealed.withUnsafeMutableBufferPointer { buffer -> CInt in
            guard let start = buffer.baseAddress else { return 0 }
            var written: CInt = 0
            guard EVP_CipherFinal_ex(context, start + tagStart, &written) == 1 else { return 0 }
            return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(tagBytes), start + tagStart)
        }
        try check(result, "AES-GCM failed")
        return sealed
    }

    private static func start(
        key: SecretBytes, nonce: [UInt8], encrypting: Bool
    ) throws(CryptographyError) -> OpaquePointer {
        guard key.count == keyBytes, nonce.count == nonceBytes else {
            throw CryptographyError(.weakKey, "AES-256-GCM needs a key of 32 bytes")
        }
        let cipher = try check(cipher, "libcrypto has no AES-256-GCM")
        let context = try check(EVP_CIPHER_CTX_new(), "no memory for a cipher context")
        let result = key.withUnsafeBytes { key in
            EVP_CipherInit_ex2(
                context, cipher, key.bindMemory(to: UInt8.self).baseAddress, nonce, encrypting ? 1 : 0, nil)
        }
        guard result == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw .draining(.library, "AES-GCM refused its key")
        }
        return context
    }

    private static func update(_ context: OpaquePointer, associatedData: [UInt8]) throws(CryptographyError) {
        guard !associatedData.isEmpty else { return }
        var written: CInt = 0
        let count = try length(associatedData.count)
        try check(EVP_CipherUpdate(context, nil, &written, associatedData, count), "AES-GCM failed")
    }

    private static func update(
        _ context: OpaquePointer, from source: [UInt8], at offset: Int, count: Int, into target: inout [UInt8],
        at targetOffset: Int
    ) throws(CryptographyError) {
        guard count > 0 else { return }
        let length = try length(count)
        let result = source.withUnsafeBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target -> CInt in
                guard let from = source.baseAddress, let to = target.baseAddress else { return 0 }
                var written: CInt = 0
                let result = EVP_CipherUpdate(context, to + targetOffset, &written, from + offset, length)
                return written == length ? result : 0
            }
        }
        try check(result, "AES-GCM failed")
    }

    private static func length(_ count: Int) throws(CryptographyError) -> CInt {
        guard let count = CInt(exactly: count) else {
            throw CryptographyError(.library, "AES-GCM seals less than 2 GiB at once")
        }
        return count
    }
}
