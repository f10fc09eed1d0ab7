import Cryptography
import JOSE

// The macros of the test library do not take a Span.

extension CompactJWS {
    init(_ bytes: some Collection<UInt8>) throws(JOSEError) { try self.init(Array(bytes).span) }
}

extension UnverifiedToken {
    convenience init(
        _ bytes: some Collection<UInt8>, maximumBytes: Int = CompactJWS.defaultMaximumBytes
    ) throws(JOSEError) {
        try self.init(Array(bytes).span, maximumBytes: maximumBytes)
    }
}

extension JWKSet {
    init(fetched bytes: [UInt8]) throws(JOSEError) { try self.init(fetched: bytes.span) }
    init(operatorConfigured bytes: [UInt8]) throws(JOSEError) { try self.init(operatorConfigured: bytes.span) }
}

extension PrivateKey {
    func sign(_ message: [UInt8], algorithm: SignatureAlgorithm) throws(CryptographyError) -> [UInt8] {
        try sign(message.span, algorithm: algorithm)
    }
}

extension HMAC {
    static func sign(hash: HashFunction, key: [UInt8], message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try sign(hash: hash, key: key.span, message: message.span)
    }
}

extension TokenDigest {
    static func of(_ bytes: [UInt8]) -> TokenDigest { of(bytes.span) }
}

extension TokenHasher {
    func digest(of bytes: [UInt8]) -> TokenDigest { digest(of: bytes.span) }
}
