internal import COpenSSL

/// The SHA-2 functions in use.
public enum HashFunction: Sendable, Hashable, CaseIterable {
    case sha256, sha384, sha512

    /// The length of a digest.
    public var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// libcrypto's name for it.
    var name: String {
        switch self {
        case .sha256: "SHA2-256"
        case .sha384: "SHA2-384"
        case .sha512: "SHA2-512"
        }
    }

    /// The fetched implementation; lives as long as the process.
    var implementation: OpaquePointer {
        switch self {
        case .sha256: FetchedDigests.sha256
        case .sha384: FetchedDigests.sha384
        case .sha512: FetchedDigests.sha512
        }
    }
}

/// Implementations fetched once: an implicit fetch at each use costs several times the hash itself and takes a lock.
private enum FetchedDigests {
    // Immutable once fetched, and libcrypto only counts references to them, atomically.
    nonisolated(unsafe) static let sha256 = fetch(.sha256)
    nonisolated(unsafe) static let sha384 = fetch(.sha384)
    nonisolated(unsafe) static let sha512 = fetch(.sha512)

    private static func fetch(_ function: HashFunction) -> OpaquePointer {
        guard let digest = EVP_MD_fetch(nil, function.name, nil) else {
            preconditionFailure("libcrypto has no \(function.name): nothing can be verified with it")
        }
        return digest
    }
}

/// One digest context, used again and again; the object is held until libcrypto has returned. Not Sendable: one an event
/// loop, or one inside whatever is used by one thread at a time.
final class DigestContext {
    private let context: OpaquePointer
    /// What the context is set up for.
    private var function: HashFunction?

    init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest context") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    func start(_ function: HashFunction) {
        // Starting with what it is set up for already takes libcrypto less than being told again.
        let implementation = function == self.function ? nil : function.implementation
        withExtendedLifetime(self) { expect(EVP_DigestInit_ex2(context, implementation, nil)) }
        self.function = function
    }

    func update(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { bytes in
            withExtendedLifetime(self) { expect(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)) }
        }
    }

    /// - Parameter digest: as long as the function's digest.
    func finish(into digest: UnsafeMutablePointer<UInt8>) {
        withExtendedLifetime(self) { expect(EVP_DigestFinal_ex(context, digest, nil)) }
    }

    /// A digest that silently was not computed would equal every other one, so this is the end of the process.
    private func expect(_ result: CInt) {
        precondition(result == 1, "libcrypto failed to compute a digest")
    }
}

extension HashFunction {
    /// The digest of `bytes`, by a context of its own.
    public func digest(_ bytes: Span<UInt8>) -> [UInt8] {
        let context = DigestContext()
        context.start(self)
        context.update(bytes)
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            if let start = buffer.baseAddress {
                context.finish(into: start)
                count = byteCount
            }
        }
    }
}
