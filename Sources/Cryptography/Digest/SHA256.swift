public import Core

/// A SHA-256 digest (FIPS 180-4), stored inline so that it can be a key of a table without an allocation.
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    /// The length of a digest.
    public static let byteCount = 32

    // The bytes in memory order.
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// Takes over 32 bytes; nil for any other number.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    fileprivate init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    fileprivate var noted: (UInt64, UInt64, UInt64, UInt64) { words }

    /// - Parameter fill: writes exactly 32 bytes.
    init(filling fill: (UnsafeMutablePointer<UInt8>) -> Void) {
        withUnsafeMutableBytes(of: &words) { buffer in
            if let start = buffer.bindMemory(to: UInt8.self).baseAddress { fill(start) }
        }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// 64 digits in lower case.
    public var hex: String { Hexadecimal.encode(bytes) }

    /// The same as ``hex``.
    public var description: String { hex }

    /// Lends the 32 bytes for the time of `body`.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try Swift.withUnsafeBytes(of: words, body)
    }

    public static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2)
            | (left.words.3 ^ right.words.3) == 0
    }

    public func hash(into hasher: inout Swift.Hasher) {
        // Any eight bytes of a digest are as good as all: two that agree in them take 2^32 digests.
        hasher.combine(words.0)
    }
}

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The digest of `bytes`, from any thread. Where many are made on one thread a ``Hasher`` saves a third.
    public static func digest(_ bytes: Span<UInt8>) -> SHA256Digest {
        Hasher().digest(bytes)
    }

    /// As ``digest(_:)-(Span<UInt8>)``, from an array.
    public static func digest(_ bytes: [UInt8]) -> SHA256Digest {
        digest(bytes.span)
    }

    /// As ``digest(_:)-(Span<UInt8>)``, from a string's UTF-8.
    public static func digest(_ text: String) -> SHA256Digest {
        var text = text
        return text.withUTF8 { digest($0.span) }
    }

    /// A context to be used again. Not Sendable: one an event loop.
    public final class Hasher {
        private let context = DigestContext()

        /// Makes the context; the process ends when libcrypto has no SHA-256.
        public init() {}

        /// The digest of `bytes`.
        public func digest(_ bytes: Span<UInt8>) -> SHA256Digest {
            context.start(.sha256)
            context.update(bytes)
            return SHA256Digest { context.finish(into: $0) }
        }

        /// The digest of `bytes`, which nobody makes twice.
        ///
        /// - Parameter note: what is noted there of the same bytes is taken, or else noted.
        public func digest(_ bytes: Span<UInt8>, _ note: CredentialNote?) -> SHA256Digest {
            guard let note else { return digest(bytes) }
            if let words = note.sha256 { return SHA256Digest(words: words) }
            let digest = digest(bytes)
            note.sha256 = digest.noted
            return digest
        }

        /// The digest of `first` followed by `second`, as of one run of bytes.
        public func digest(_ first: Span<UInt8>, _ second: Span<UInt8>) -> SHA256Digest {
            context.start(.sha256)
            context.update(first)
            context.update(second)
            return SHA256Digest { context.finish(into: $0) }
        }
    }
}
