internal import Core

/// A compact JWS (RFC 7515 section 7.1) that was taken apart and not verified yet.
///
/// Of the header only `alg`, `kid` and `typ` are used. A key that the token brings along or points to (`jwk`, `x5c`) is
/// never looked at, and a pointer that would have to be fetched (`jku`, `x5u`) is refused, as is every extension that
/// the token declares critical.
public struct CompactJWS: Sendable {
    /// How long a token may be unless said otherwise.
    public static let defaultMaximumBytes = 8192
    /// How many keys are tried at most for one token, so that a forged one does not cost more.
    static let maximumTries = 16

    /// The header.
    public let header: JSONValue
    /// `alg`.
    public let algorithm: JWSAlgorithm
    /// `kid`.
    public let keyID: String?
    /// `typ`.
    public let type: String?
    /// The payload, whatever it is.
    public let payload: [UInt8]
    private let signature: [UInt8]
    private let signingInput: [UInt8]

    /// - Throws: `tooLarge`, `malformed`, `encrypted`, `unsupportedAlgorithm`, `unsupportedHeader`.
    public init(_ bytes: Span<UInt8>, maximumBytes: Int = defaultMaximumBytes) throws(JOSEError) {
        guard bytes.count <= maximumBytes else {
            throw JOSEError(.tooLarge, "the token has \(bytes.count) bytes, allowed are \(maximumBytes)")
        }
        let (first, second) = try Self.dots(of: bytes)
        guard let headerBytes = Base64URL.decode(bytes.extracting(0..<first)) else {
            throw JOSEError(.malformed, "the token's header is not base64url")
        }
        header = try JSONReader.parse(headerBytes, limits: JSONLimits(bytes: maximumBytes))
        try Self.check(header)
        algorithm = try Self.algorithm(of: header)
        keyID = try Self.text("kid", of: header)
        type = try Self.text("typ", of: header)
        guard let payload = Base64URL.decode(bytes.extracting((first + 1)..<second)),
            let signature = Base64URL.decode(bytes.extracting((second + 1)..<bytes.count)), !signature.isEmpty
        else { throw JOSEError(.malformed, "the token's payload or signature is not base64url") }
        self.payload = payload
        self.signature = signature
        signingInput = bytes.extracting(0..<second).withUnsafeBufferPointer { Array($0) }
    }

    private static func dots(of bytes: Span<UInt8>) throws(JOSEError) -> (Int, Int) {
        var places = (0, 0)
        var count = 0
        bytes.withUnsafeBufferPointer { bytes in
            for index in 0..<bytes.count where bytes[index] == UInt8(ascii: ".") {
                if count == 0 { places.0 = index }
                if count == 1 { places.1 = index }
                count += 1
            }
        }
        if count == 4 { throw JOSEError(.encrypted, "encrypted tokens are not taken") }
        guard count == 2 else { throw JOSEError(.malformed, "a token has three parts") }
        return places
    }

    private static let refusedMembers = ["crit", "b64", "jku", "x5u"]

    private static func check(_ header: JSONValue) throws(JOSEError) {
        guard header.isObject else { throw JOSEError(.malformed, "the token's header is no object") }
        if header["enc"] != nil { throw JOSEError(.encrypted, "encrypted tokens are not taken") }
        for name in refusedMembers where header[name] != nil {
            throw JOSEError(.unsupportedHeader, "tokens with \(name) in the header are not taken")
        }
    }

    private static func algorithm(of header: JSONValue) throws(JOSEError) -> JWSAlgorithm {
        guard let name = header["alg"]?.string else {
            throw JOSEError(.malformed, "alg of the token's header is a string")
        }
        guard let algorithm = JWSAlgorithm(rawValue: name) else {
            throw JOSEError(.unsupportedAlgorithm, "the token's alg is not supported")
        }
        return algorithm
    }

    private static func text(_ name: String, of header: JSONValue) throws(JOSEError) -> String? {
        guard let member = header[name] else { return nil }
        guard let string = member.string else {
            throw JOSEError(.malformed, "\(name) of the token's header is a string")
        }
        return string
    }

    /// `typ` is this media type, with or without `application/` (RFC 7515 section 4.1.9), in any case of letters.
    ///
    /// - Parameter name: in lower case, without `application/`.
    public func hasType(_ name: String) -> Bool {
        guard let type = type?.lowercased() else { return false }
        return type == name || type == "application/" + name
    }

    /// Tries the keys that the token may mean, at most sixteen.
    ///
    /// - Parameter allowed: the algorithms that are wanted here; the key's type decides as well.
    /// - Returns: the key that made the signature.
    /// - Throws: `unsupportedAlgorithm`, `noKey`, `keyMismatch`, `badSignature`.
    public func verify(with keys: [JWK], allowed: Set<JWSAlgorithm>) throws(JOSEError) -> JWK {
        guard allowed.contains(algorithm) else {
            throw JOSEError(.unsupportedAlgorithm, "tokens with \(algorithm.rawValue) are not wanted here")
        }
        var isNamed = false
        var isNamedForCertain = false
        var tries = 0
        for key in keys where key.isNamed(keyID) {
            isNamed = true
            if keyID != nil, key.keyID != nil { isNamedForCertain = true }
            guard key.supports(algorithm) else { continue }
            guard tries < Self.maximumTries else { break }
            tries += 1
            if key.verify(signature.span, of: signingInput.span, algorithm: algorithm) { return key }
        }
        guard isNamed else { throw JOSEError(.noKey, "no key has the token's kid") }
        guard tries > 0 else {
            throw JOSEError(.keyMismatch, "the token's key is not one for \(algorithm.rawValue)")
        }
        // An issuer that gives its keys no names may have a new one: nothing but the signature tells.
        guard isNamedForCertain else { throw JOSEError(.noKey, "no key that is known has made the signature") }
        throw JOSEError(.badSignature, "the token's signature is not valid")
    }
}
