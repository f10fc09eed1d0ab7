/// From what an identity was made: enough to judge it again when its credential is gone, which nobody keeps. Whoever
/// made the identity understands it.
public enum CredentialOrigin: Sendable {
    /// An API key, by its SHA-256.
    case apiKey(digest: [UInt8])
    /// An access token of ours.
    case accessToken(AccessTokenOrigin)
    /// A JWT of a configured issuer, as it was verified.
    case foreign(ForeignIdentity)
    /// One of the two cookies of a session.
    case session(SessionOrigin)
}

/// A session's cookie without its secret.
public struct SessionOrigin: Sendable, Hashable {
    /// What a cookie opens: neither is good in the other's place.
    public enum Plane: String, Sendable, Hashable {
        /// Pages, API and step-up.
        case portal
        /// Verdicts on app routes.
        case app
    }

    /// The session's id.
    public var session: String
    /// The user's id.
    public var subject: String
    /// Which of the two cookies it was.
    public var plane: Plane

    /// All fields, named as they are.
    public init(session: String, subject: String, plane: Plane) {
        self.session = session
        self.subject = subject
        self.plane = plane
    }
}

/// An access token of ours without the token.
public struct AccessTokenOrigin: Sendable, Hashable {
    /// The token's SHA-256.
    public var digest: [UInt8]
    /// `kid`: the key that it was signed with.
    public var keyID: String
    /// `jti`: its session.
    public var session: String
    /// `sub`: the user's id.
    public var subject: String
    /// `exp`.
    public var expiresAt: Timestamp

    /// All fields, named as they are.
    public init(digest: [UInt8], keyID: String, session: String, subject: String, expiresAt: Timestamp) {
        self.digest = digest
        self.keyID = keyID
        self.session = session
        self.subject = subject
        self.expiresAt = expiresAt
    }
}
