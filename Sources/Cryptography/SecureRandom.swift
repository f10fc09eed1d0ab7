internal import COpenSSL
public import Core

/// Random bytes from libcrypto's generator, which is seeded by the kernel. There is no second source: where it fails,
/// the caller fails.
public enum SecureRandom {
    /// `count` unpredictable bytes (nothing for zero or less).
    ///
    /// - Throws: `randomUnavailable`.
    public static func bytes(_ count: Int) throws(CryptographyError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: max(count, 0))
        var failure: CryptographyError?
        result.withUnsafeMutableBytes { buffer in
            do throws(CryptographyError) { try fill(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return result
    }

    /// As ``bytes(_:)``, for keys: from the generator that serves nothing else, and no copy stays behind.
    ///
    /// - Throws: `randomUnavailable`.
    public static func secret(_ count: Int) throws(CryptographyError) -> SecretBytes {
        var bytes = [UInt8](repeating: 0, count: max(count, 0))
        defer { wipe(&bytes) }
        let filled = bytes.withUnsafeMutableBufferPointer { buffer in
            CInt(exactly: buffer.count).map { RAND_priv_bytes(buffer.baseAddress, $0) } ?? 0
        }
        try check(filled, "the random generator gave no bytes", as: .randomUnavailable)
        return SecretBytes(copying: bytes)
    }

    /// Overwrites the whole buffer.
    ///
    /// - Throws: `randomUnavailable`; the content of the buffer is then of no use.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(CryptographyError) {
        guard buffer.count > 0 else { return }
        let pointer = buffer.bindMemory(to: UInt8.self).baseAddress
        let filled = CInt(exactly: buffer.count).map { RAND_bytes(pointer, $0) } ?? 0
        try check(filled, "the random generator gave no bytes", as: .randomUnavailable)
    }
}

/// Overwrites bytes in a way that the compiler does not leave out.
func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
}

/// Compares without telling by its duration where the difference is; only a difference in length shows.
public func constantTimeEquals(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    guard left.count > 0 else { return true }
    return left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0 }
    }
}

/// As ``constantTimeEquals(_:_:)-(Span<UInt8>,_)``, on arrays.
public func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    constantTimeEquals(left.span, right.span)
}
