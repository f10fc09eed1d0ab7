internal import Core
public import Cryptography

/// Makes compact JWS (RFC 7515 section 7.1) with one key. One value serves all threads.
public struct TokenSigner: Sendable {
    /// `kid` of the header.
    public let keyID: String
    /// `alg` of the header.
    public let algorithm: JWSAlgorithm
    private let key: PrivateKey
    private let scheme: SignatureAlgorithm

    /// - Parameters:
    ///   - keyID: the thumbprint of the public key (RFC 7638) when nil.
    ///   - algorithm: the usual one of the key's type when nil: RS256, ES256, ES384, ES512 or EdDSA.
    /// - Throws: `unusableKey` when the algorithm is not one for this type of key.
    public init(key: PrivateKey, keyID: String? = nil, algorithm: JWSAlgorithm? = nil) throws(JOSEError) {
        let algorithm = algorithm ?? .usual(for: key.type)
        guard let scheme = algorithm.signature, scheme.keyType == key.type else {
            throw JOSEError(.unusableKey, "a key of this type does not sign with \(algorithm.rawValue)")
        }
        self.key = key
        self.scheme = scheme
        self.algorithm = algorithm
        self.keyID = keyID ?? Base64URL.encode(Thumbprint.digest(of: key.publicKey).bytes)
    }

    /// The public half, to be published.
    ///
    /// - Throws: never for a key that ``init(key:keyID:algorithm:)`` took.
    public func publicJWK() throws(JOSEError) -> JWK {
        try JWK(key.publicKey, algorithm: algorithm, keyID: keyID)
    }

    /// Signs `payload`, as it is.
    ///
    /// - Parameter type: `typ` of the header; none when nil.
    /// - Throws: `signingFailed`.
    public func sign(_ payload: [UInt8], type: String? = nil) throws(JOSEError) -> [UInt8] {
        var header = JSONWriter(capacity: 128)
        header.member("alg", algorithm.rawValue)
        header.member("typ", type)
        header.member("kid", keyID)
        let headerBytes = header.finish()
        var token: [UInt8] = []
        token.reserveCapacity((headerBytes.count + payload.count) * 4 / 3 + 96)
        token.appendBase64URL(headerBytes)
        token.append(UInt8(ascii: "."))
        token.appendBase64URL(payload)
        let signature: [UInt8]
        do throws(CryptographyError) {
            signature = try key.sign(token.span, algorithm: scheme)
        } catch {
            throw JOSEError(.signingFailed, error.description)
        }
        token.append(UInt8(ascii: "."))
        token.appendBase64URL(signature)
        return token
    }
}

extension [UInt8] {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Appends without a String in between (RFC 4648 section 5, no padding).
    mutating func appendBase64URL(_ bytes: [UInt8]) {
        let alphabet = Self.alphabet
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                append(alphabet[Int(window >> bits & 0x3f)])
            }
        }
        if bits > 0 { append(alphabet[Int(window << (6 - bits) & 0x3f)]) }
    }
}
