internal import COpenSSL
internal import Synchronization

/// The owner of a libcrypto key, with contexts that are prepared for one algorithm each and used again: preparing one
/// costs as much as a tenth of a verification.
final class KeyHandle: Sendable {
    // Never changed after `init`; libcrypto allows one key to be used by many threads at a time.
    nonisolated(unsafe) let key: OpaquePointer
    let type: KeyType
    private let pools: [ContextPool]

    /// - Parameter key: taken over; freed with the handle.
    /// - Parameter signing: prepares contexts for signing instead of verifying.
    init(takingOwnership key: OpaquePointer, type: KeyType, signing: Bool) {
        self.key = key
        self.type = type
        pools = (0..<(type == .rsa ? 6 : 1)).map { _ in ContextPool(signing: signing) }
    }

    deinit { EVP_PKEY_free(key) }

    /// Lends a context for the time of `body`; nil when the key does not go with the algorithm or libcrypto refuses.
    func withContext<Result>(
        for algorithm: SignatureAlgorithm, _ body: (borrowing KeyContext) -> Result?
    ) -> Result? {
        guard algorithm.keyType == type else { return nil }
        defer { withExtendedLifetime(self) {} }
        let pool = pools[algorithm.slot]
        guard let context = pool.take() ?? KeyContext(key: key, algorithm: algorithm, signing: pool.signing) else {
            ERR_clear_error()
            return nil
        }
        let result = body(context)
        if result == nil { ERR_clear_error() }
        pool.put(context)
        return result
    }
}

/// Contexts that nobody is using. Nobody ever waits for its lock: who finds it taken makes a context of their own.
private final class ContextPool: Sendable {
    private static let capacity = 8
    let signing: Bool
    private let idle = Mutex<[KeyContext]>([])

    init(signing: Bool) { self.signing = signing }

    deinit { idle.withLock { for context in $0 { context.free() } } }

    func take() -> KeyContext? {
        idle.withLockIfAvailable { $0.popLast() } ?? nil
    }

    func put(_ context: KeyContext) {
        let kept = idle.withLockIfAvailable { idle in
            guard idle.count < Self.capacity else { return false }
            idle.append(context)
            return true
        }
        if kept != true { context.free() }
    }
}

/// A prepared signature context and a digest context.
///
/// `@unchecked Sendable`: the pool hands each one to one caller at a time and takes it back before giving it to another,
/// so no two threads ever use it together.
struct KeyContext: @unchecked Sendable {
    let signature: OpaquePointer
    let digest: DigestContext

    /// Nil when libcrypto does not have the algorithm for this key.
    init?(key: OpaquePointer, algorithm: SignatureAlgorithm, signing: Bool) {
        guard let context = EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { return nil }
        guard algorithm == .ed25519 || Self.prepare(context, algorithm: algorithm, signing: signing) else {
            EVP_PKEY_CTX_free(context)
            return nil
        }
        signature = context
        digest = DigestContext()
    }

    private static func prepare(_ context: OpaquePointer, algorithm: SignatureAlgorithm, signing: Bool) -> Bool {
        guard (signing ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context)) == 1 else { return false }
        switch algorithm {
        case .rsaPKCS1(let hash):
            return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
                && EVP_PKEY_CTX_set_signature_md(context, hash.implementation) == 1
        case .rsaPSS(let hash):
            return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_signature_md(context, hash.implementation) == 1
                && EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash.implementation) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, CInt(hash.byteCount)) == 1
        case .ecdsaP256, .ecdsaP384, .ecdsaP521, .ed25519:
            return true
        }
    }

    func free() { EVP_PKEY_CTX_free(signature) }

    /// Lends the digest of `message`.
    func withDigest<Result>(
        of message: Span<UInt8>, by hash: HashFunction, _ body: (UnsafePointer<UInt8>, Int) -> Result?
    ) -> Result? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            digest.start(hash)
            digest.update(message)
            digest.finish(into: start)
            return body(start, hash.byteCount)
        }
    }
}
