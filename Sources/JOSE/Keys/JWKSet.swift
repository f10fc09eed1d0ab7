/// The usable keys of a JWK set (RFC 7517 section 5), in their order. A key that is unknown or not usable is left out,
/// as the RFC asks for; two keys may have one `kid`, and then both are tried.
public struct JWKSet: Sendable {
    /// How long a key set may be unless said otherwise.
    public static let defaultMaximumBytes = 256 * 1024

    /// The keys.
    public let keys: [JWK]
    /// For each key that was left out: its place in the set (from zero) and why. For the log.
    public let skipped: [(index: Int, reason: JOSEError)]

    /// Takes over keys.
    public init(_ keys: [JWK]) {
        self.keys = keys
        skipped = []
    }

    /// Reads what somebody else publishes: symmetric and private keys in it are left out.
    ///
    /// - Throws: `malformed` or `tooLarge` when it is no key set at all. A set without usable keys is none of these.
    public init(fetched bytes: Span<UInt8>, maximumBytes: Int = defaultMaximumBytes) throws(JOSEError) {
        try self.init(parsing: bytes, maximumBytes: maximumBytes, origin: .fetched)
    }

    /// Reads a file of the operator, which may hold symmetric keys.
    ///
    /// - Throws: as ``init(fetched:maximumBytes:)``.
    public init(operatorConfigured bytes: Span<UInt8>, maximumBytes: Int = defaultMaximumBytes) throws(JOSEError) {
        try self.init(parsing: bytes, maximumBytes: maximumBytes, origin: .operatorConfigured)
    }

    private init(parsing bytes: Span<UInt8>, maximumBytes: Int, origin: JWK.Origin) throws(JOSEError) {
        let text = try JSONReader.parse(bytes, limits: JSONLimits(bytes: maximumBytes))
        guard let elements = text["keys"]?.elements else {
            throw JOSEError(.malformed, "a key set is an object with an array named keys")
        }
        var keys: [JWK] = []
        var skipped: [(index: Int, reason: JOSEError)] = []
        for (index, element) in elements.enumerated() {
            do throws(JOSEError) {
                keys.append(try JWK(parsing: element, origin: origin))
            } catch {
                skipped.append((index, error))
            }
        }
        self.keys = keys
        self.skipped = skipped
    }

    /// The set has this very key.
    public func contains(_ key: JWK) -> Bool {
        keys.contains { $0.isSame(as: key) }
    }

    /// The set as it is published; symmetric keys are left out.
    public func render() -> [UInt8] {
        let published = keys.filter { $0.thumbprint != nil }
        var writer = JSONWriter(capacity: 64 + 512 * published.count)
        writer.array("keys", of: published) { $1.write(to: &$0) }
        return writer.finish()
    }
}

extension JWK {
    /// A token with this `kid` may mean this key. Compared byte for byte, as the RFC does.
    func isNamed(_ wanted: String?) -> Bool {
        guard let wanted, let keyID else { return true }
        return keyID.utf8.elementsEqual(wanted.utf8)
    }
}
