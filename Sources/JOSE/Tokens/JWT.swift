public import Core

/// A JWT (RFC 7519) whose signature nobody has looked at yet. What it says is good for one thing: to find out whose key
/// to verify it with. A class: it is handed on from reader to reader, and as a value each time would count eight
/// references.
public final class UnverifiedToken: Sendable {
    /// The signed form.
    public let jws: CompactJWS
    /// What it claims, true or not.
    public let claims: Claims

    /// - Throws: what ``CompactJWS`` throws, and `malformed` when the payload is no JSON object.
    public init(
        _ bytes: Span<UInt8>, maximumBytes: Int = CompactJWS.defaultMaximumBytes
    ) throws(JOSEError) {
        jws = try CompactJWS(bytes, maximumBytes: maximumBytes)
        claims = try Claims(payload: jws.payload, maximumBytes: maximumBytes)
    }

    /// As ``init(_:maximumBytes:)``, with the length that is allowed unless said otherwise, of bytes that nobody parses
    /// twice: what is noted of them is taken, or else noted.
    public static func parsing(
        _ bytes: Span<UInt8>, _ note: CredentialNote?
    ) throws(JOSEError) -> UnverifiedToken {
        if let known = note?.parsed as? UnverifiedToken { return known }
        let token = try UnverifiedToken(bytes)
        note?.parsed = token
        return token
    }

    /// The header.
    public var header: JSONValue { jws.header }
    /// `alg`.
    public var algorithm: JWSAlgorithm { jws.algorithm }
    /// `kid`.
    public var keyID: String? { jws.keyID }
    /// `typ`.
    public var type: String? { jws.type }
    /// The claimed `iss`.
    public var issuer: String? { claims.issuer }

    /// As ``CompactJWS/hasType(_:)``.
    public func hasType(_ name: String) -> Bool { jws.hasType(name) }

    /// Verifies the signature. The claims are still to be validated.
    ///
    /// - Throws: `unsupportedAlgorithm`, `noKey` (fetch the set again), `keyMismatch`, `badSignature`.
    public func verify(with keys: JWKSet, allowed: Set<JWSAlgorithm>) throws(JOSEError) -> VerifiedToken {
        try verify(with: keys.keys, allowed: allowed)
    }

    /// As ``verify(with:allowed:)-(JWKSet,_)``, with keys.
    public func verify(with keys: [JWK], allowed: Set<JWSAlgorithm>) throws(JOSEError) -> VerifiedToken {
        VerifiedToken(token: self, key: try jws.verify(with: keys, allowed: allowed))
    }
}

/// A JWT whose signature fits a key. Made only by ``UnverifiedToken/verify(with:allowed:)-(JWKSet,_)``. Whether it is
/// for us and still good is what ``Claims/validate(now:issuer:audiences:leeway:)`` says.
public struct VerifiedToken: Sendable {
    private let token: UnverifiedToken
    /// The key that made the signature.
    public let key: JWK

    fileprivate init(token: UnverifiedToken, key: JWK) {
        self.token = token
        self.key = key
    }

    /// What the issuer says.
    public var claims: Claims { token.claims }
    /// The header.
    public var header: JSONValue { token.header }
    /// `alg`.
    public var algorithm: JWSAlgorithm { token.algorithm }
    /// `typ`.
    public var type: String? { token.type }

    /// As ``CompactJWS/hasType(_:)``.
    public func hasType(_ name: String) -> Bool { token.hasType(name) }

    /// `typ` must be this media type.
    ///
    /// - Throws: `wrongType`.
    public func require(type name: String) throws(JOSEError) {
        guard hasType(name) else { throw JOSEError(.wrongType, "the token is no \(name)") }
    }

    /// As ``Claims/validate(now:issuer:audiences:leeway:)``.
    public func validate(
        now: Timestamp, issuer: String, audiences: [String], leeway: Duration = .seconds(60)
    ) throws(JOSEError) {
        try claims.validate(now: now, issuer: issuer, audiences: audiences, leeway: leeway)
    }
}
