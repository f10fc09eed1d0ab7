/// Why a token, a key set or a JSON text was refused. Never holds a token or a key.
public struct JOSEError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        /// Not the form that the specification asks for.
        case malformed
        /// Longer, deeper or with more parts than the bound allows.
        case tooLarge
        /// An encrypted token (JWE): five parts, or `enc` in the header.
        case encrypted
        /// `alg` is `none`, unknown, or not in the list of those allowed.
        case unsupportedAlgorithm
        /// The header has `crit`, `b64`, `jku` or `x5u`.
        case unsupportedHeader
        /// No key of the set has the token's `kid`, or, where the token or the keys have none, none has made the
        /// signature: the set may be out of date.
        case noKey
        /// Keys have the token's `kid`, but none goes with its `alg`.
        case keyMismatch
        /// A key that cannot be used.
        case unusableKey
        /// The signature does not fit the key that the token names.
        case badSignature
        case expired, notYetValid, issuedInFuture, wrongIssuer, wrongAudience, wrongType
        /// A required claim is absent.
        case missingClaim
        /// A claim is there and has a wrong type.
        case malformedClaim
        /// Signing failed.
        case signingFailed
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong, for the log.
    public let message: String

    /// - Parameter message: for people; must not hold a token.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }

    public static func == (left: JOSEError, right: JOSEError) -> Bool { left.code == right.code }
}
