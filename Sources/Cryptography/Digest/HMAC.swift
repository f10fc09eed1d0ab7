internal import COpenSSL
public import Core

/// Keyed hashes (RFC 2104) over SHA-2.
public enum HMAC {
    /// The authentication code of `message`.
    ///
    /// - Parameter key: of any length, also empty.
    /// - Throws: `library`.
    public static func sign(
        hash: HashFunction, key: Span<UInt8>, message: Span<UInt8>
    ) throws(CryptographyError) -> [UInt8] {
        let context = try MACContext(hash, key: key)
        return try context.finish(message)
    }

    /// Compares in constant time; a code that cannot be computed is no match. A shortened code is none either.
    public static func verify(
        _ code: Span<UInt8>, hash: HashFunction, key: Span<UInt8>, message: Span<UInt8>
    ) -> Bool {
        guard let expected = try? sign(hash: hash, key: key, message: message) else { return false }
        return constantTimeEquals(expected.span, code)
    }
}

/// A secret shared with somebody else. Its contexts are keyed once; each message works on a copy, so one object serves
/// all threads.
public final class SymmetricKey: Sendable {
    /// How many bytes the key has.
    public let byteCount: Int
    private let sha256: MACContext
    private let sha384: MACContext
    private let sha512: MACContext

    /// - Throws: `weakKey` below 32 bytes (RFC 7518 section 3.2 for HS256), `library`.
    public init(_ key: SecretBytes) throws(CryptographyError) {
        guard key.count >= 32 else {
            throw CryptographyError(.weakKey, "a symmetric key needs at least 32 bytes, this one has \(key.count)")
        }
        byteCount = key.count
        sha256 = try MACContext(.sha256, key: key)
        sha384 = try MACContext(.sha384, key: key)
        sha512 = try MACContext(.sha512, key: key)
    }

    /// The HMAC of `message`.
    ///
    /// - Throws: `library`.
    public func sign(_ message: Span<UInt8>, hash: HashFunction) throws(CryptographyError) -> [UInt8] {
        try context(hash).copy().finish(message)
    }

    /// Compares in constant time; a code that cannot be computed is no match.
    public func verify(_ code: Span<UInt8>, of message: Span<UInt8>, hash: HashFunction) -> Bool {
        guard code.count == hash.byteCount, let expected = try? sign(message, hash: hash) else { return false }
        return constantTimeEquals(expected.span, code)
    }

    private func context(_ hash: HashFunction) -> MACContext {
        switch hash {
        case .sha256: sha256
        case .sha384: sha384
        case .sha512: sha512
        }
    }
}

private enum FetchedMAC {
    // Immutable once fetched, and libcrypto only counts references to it, atomically.
    nonisolated(unsafe) static let hmac = EVP_MAC_fetch(nil, "HMAC", nil)
}

/// A keyed context. It is either a template that is only copied, or the copy of one call; `finish` is for the latter.
private final class MACContext: Sendable {
    // A template is never written after `init`; copying reads it only.
    private nonisolated(unsafe) let context: OpaquePointer
    private let length: Int

    init(_ hash: HashFunction, key: Span<UInt8>) throws(CryptographyError) {
        let mac = try check(FetchedMAC.hmac, "libcrypto has no HMAC")
        context = try check(EVP_MAC_CTX_new(mac), "no memory for a MAC context")
        length = hash.byteCount
        var name = Array(hash.name.utf8CString)
        // Without a key libcrypto would go on with none set; an empty key is a key all the same.
        let result = name.withUnsafeMutableBufferPointer { name in
            key.withUnsafeBufferPointer { key in
                withUnsafePointer(to: UInt8(0)) { empty in
                    let parameters = [
                        gatehouse_digest_parameter(name.baseAddress),
                        OSSL_PARAM_construct_end(),
                    ]
                    return EVP_MAC_init(context, key.baseAddress ?? empty, key.count, parameters)
                }
            }
        }
        try check(result, "HMAC refused its key")
    }

    convenience init(_ hash: HashFunction, key: SecretBytes) throws(CryptographyError) {
        let made = key.withUnsafeBytes { bytes -> Result<MACContext, CryptographyError> in
            bytes.withMemoryRebound(to: UInt8.self) { bytes in
                do throws(CryptographyError) {
                    return .success(try MACContext(hash, key: bytes.span))
                } catch { return .failure(error) }
            }
        }
        try self.init(copying: try made.get())
    }

    private init(copying template: MACContext) throws(CryptographyError) {
        context = try check(
            withExtendedLifetime(template) { EVP_MAC_CTX_dup(template.context) }, "no memory for a MAC context")
        length = template.length
    }

    deinit { EVP_MAC_CTX_free(context) }

    func copy() throws(CryptographyError) -> MACContext {
        try MACContext(copying: self)
    }

    func finish(_ message: Span<UInt8>) throws(CryptographyError) -> [UInt8] {
        defer { withExtendedLifetime(self) {} }
        let updated = message.withUnsafeBufferPointer { EVP_MAC_update(context, $0.baseAddress, $0.count) }
        try check(updated, "HMAC failed")
        var code = [UInt8](repeating: 0, count: length)
        let finished = code.withUnsafeMutableBufferPointer { EVP_MAC_final(context, $0.baseAddress, nil, $0.count) }
        try check(finished, "HMAC failed")
        return code
    }
}
