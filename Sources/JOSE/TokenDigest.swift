public import Core
internal import Cryptography

/// The SHA-256 of a token: what it is known by in caches and logs.
public struct TokenDigest: Hashable, Sendable, CustomStringConvertible {
    private let digest: SHA256Digest

    fileprivate init(_ digest: SHA256Digest) { self.digest = digest }

    /// The digest of `bytes`, from any thread; where many are made on one thread a ``TokenHasher`` is faster.
    public static func of(_ bytes: Span<UInt8>) -> TokenDigest {
        TokenDigest(SHA256.digest(bytes))
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { digest.bytes }

    /// 64 digits in lower case.
    public var hex: String { digest.hex }

    /// The digits of the first `count` bytes, in lower case.
    public func hex(first count: Int) -> String { Hexadecimal.encode(Array(bytes.prefix(count))) }

    /// The same as ``hex``.
    public var description: String { hex }
}

/// Makes token digests with one context. Not Sendable: one an event loop.
public final class TokenHasher {
    private let hasher = SHA256.Hasher()

    /// Makes the context.
    public init() {}

    /// The digest of `bytes`.
    ///
    /// - Parameter note: what is noted there of the same bytes is taken, or else noted.
    public func digest(of bytes: Span<UInt8>, _ note: CredentialNote? = nil) -> TokenDigest {
        TokenDigest(hasher.digest(bytes, note))
    }
}
