import Cryptography

// The macros of the test library do not take a Span.

extension PublicKey {
    func verify(_ signature: [UInt8], of message: [UInt8], algorithm: SignatureAlgorithm) -> Bool {
        verify(signature.span, of: message.span, algorithm: algorithm)
    }
}

extension PrivateKey {
    func sign(_ message: [UInt8], algorithm: SignatureAlgorithm) throws(CryptographyError) -> [UInt8] {
        try sign(message.span, algorithm: algorithm)
    }
}

extension HashFunction {
    func digest(_ bytes: [UInt8]) -> [UInt8] { digest(bytes.span) }
}

extension SHA256.Hasher {
    func digest(_ bytes: [UInt8]) -> SHA256Digest { digest(bytes.span) }
    func digest(_ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>) -> SHA256Digest {
        digest(first.span, second.span)
    }
}

extension HMAC {
    static func sign(hash: HashFunction, key: [UInt8], message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try sign(hash: hash, key: key.span, message: message.span)
    }

    static func verify(_ code: [UInt8], hash: HashFunction, key: [UInt8], message: [UInt8]) -> Bool {
        verify(code.span, hash: hash, key: key.span, message: message.span)
    }
}

extension SymmetricKey {
    func sign(_ message: [UInt8], hash: HashFunction) throws(CryptographyError) -> [UInt8] {
        try sign(message.span, hash: hash)
    }

    func verify(_ code: [UInt8], of message: [UInt8], hash: HashFunction) -> Bool {
        verify(code.span, of: message.span, hash: hash)
    }
}
