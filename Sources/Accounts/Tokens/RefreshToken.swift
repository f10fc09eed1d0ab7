internal import Core

/// A refresh token as it is stored, under its SHA-256. Its family is the session: all tokens that followed one another
/// from one sign-in.
struct RefreshTokenRecord: JSONRecord, Equatable {
    var session: String
    var createdAt: Timestamp
    var expiresAt: Timestamp
    /// When it was exchanged for the next one. Whoever shows it again has a copy, and nobody knows which is the copy.
    var usedAt: Timestamp?
}

/// What an API client signs in to: shown once, part of no `Encodable` type.
public struct IssuedTokens: Sendable {
    /// A JWT for `Authorization: Bearer`.
    public let accessToken: String
    /// The access token's life in seconds.
    public let expiresIn: Int64
    /// Good for one exchange.
    public let refreshToken: String
    /// The session behind both.
    public let session: String
}
