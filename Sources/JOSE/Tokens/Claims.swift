public import Core

/// The claims of a JWT (RFC 7519 section 4). Whether they are true depends on where they come from: a
/// ``VerifiedToken``'s are what the issuer said, an ``UnverifiedToken``'s what anybody wrote.
public struct Claims: Sendable {
    private let object: JSONValue

    /// - Throws: `malformed` when the payload is no JSON object, `tooLarge`.
    init(payload: [UInt8], maximumBytes: Int) throws(JOSEError) {
        object = try JSONReader.parse(payload, limits: JSONLimits(bytes: maximumBytes))
        guard object.isObject else { throw JOSEError(.malformed, "the token's payload is no object") }
    }

    /// The claim as it is; nil when absent.
    public func value(_ name: String) -> JSONValue? { object[name] }

    /// A claim that is a string; nil when absent or anything else.
    public func string(_ name: String) -> String? { object[name]?.string }

    /// A claim that is a string or an array of strings; nil when absent or anything else.
    public func strings(_ name: String) -> [String]? {
        guard let value = object[name] else { return nil }
        return value.string.map { [$0] } ?? value.strings
    }

    /// A claim that is `true` or `false`; nil when absent or anything else.
    public func bool(_ name: String) -> Bool? { object[name]?.bool }

    /// A claim that is an integer; nil when absent or anything else.
    public func integer(_ name: String) -> Int64? { object[name]?.integer }

    /// A NumericDate (RFC 7519 section 2: seconds, possibly with a fraction); nil when absent or anything else.
    public func time(_ name: String) -> Timestamp? {
        object[name].flatMap(Self.time)
    }

    private static func time(_ value: JSONValue) -> Timestamp? {
        if let seconds = value.integer { return Timestamp(seconds: seconds) }
        guard let seconds = value.double, seconds.magnitude < 1e14 else { return nil }
        return Timestamp(milliseconds: Int64((seconds * 1000).rounded(.down)))
    }

    /// `iss`.
    public var issuer: String? { string("iss") }
    /// `sub`.
    public var subject: String? { string("sub") }
    /// `aud`.
    public var audiences: [String]? { strings("aud") }
    /// `exp`.
    public var expiresAt: Timestamp? { time("exp") }
    /// `nbf`.
    public var notBefore: Timestamp? { time("nbf") }
    /// `iat`.
    public var issuedAt: Timestamp? { time("iat") }
    /// `jti`.
    public var tokenID: String? { string("jti") }

    /// Checks what every token must hold: `iss` is `issuer`, `aud` names one of `audiences`, `exp` is there and to
    /// come, `nbf` and `iat`, where they are there, are past. Texts are compared byte for byte.
    ///
    /// - Parameters:
    ///   - audiences: who we are; when it is empty every token is refused.
    ///   - leeway: how much the clocks may differ, to the token's advantage.
    /// - Throws: `missingClaim`, `malformedClaim`, `wrongIssuer`, `wrongAudience`, `expired`, `notYetValid`,
    ///   `issuedInFuture`.
    public func validate(
        now: Timestamp, issuer: String, audiences: [String], leeway: Duration = .seconds(60)
    ) throws(JOSEError) {
        try validateIssuer(issuer)
        try validateAudience(audiences)
        guard let expiry = try wellFormedTime("exp") else { throw JOSEError(.missingClaim, "the token has no exp") }
        if now >= expiry + leeway { throw JOSEError(.expired, "the token has expired") }
        if let start = try wellFormedTime("nbf"), now + leeway < start {
            throw JOSEError(.notYetValid, "the token is not valid yet")
        }
        if let issued = try wellFormedTime("iat"), now + leeway < issued {
            throw JOSEError(.issuedInFuture, "the token was issued in the future")
        }
    }

    private func validateIssuer(_ issuer: String) throws(JOSEError) {
        guard let claim = object["iss"] else { throw JOSEError(.missingClaim, "the token has no iss") }
        guard claim.isString else { throw JOSEError(.malformedClaim, "iss of the token is a string") }
        guard claim.equals(issuer) else { throw JOSEError(.wrongIssuer, "the token is of another issuer") }
    }

    private func validateAudience(_ audiences: [String]) throws(JOSEError) {
        guard let claim = object["aud"] else { throw JOSEError(.missingClaim, "the token has no aud") }
        if claim.isString, audiences.contains(where: { claim.equals($0) }) { return }
        let values = claim.isString ? [claim] : claim.elements ?? []
        guard claim.isString || claim.isArray, values.allSatisfy(\.isString) else {
            throw JOSEError(.malformedClaim, "aud of the token is a string or an array of strings")
        }
        guard values.contains(where: { value in audiences.contains { value.equals($0) } }) else {
            throw JOSEError(.wrongAudience, "the token is for another audience")
        }
    }

    /// Nil when absent, and only then.
    private func wellFormedTime(_ name: String) throws(JOSEError) -> Timestamp? {
        guard let claim = object[name] else { return nil }
        guard let time = Self.time(claim) else {
            throw JOSEError(.malformedClaim, "\(name) of the token is a number of seconds")
        }
        return time
    }
}
