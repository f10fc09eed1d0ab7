internal import Core

/// By which face somebody signs in, and so what they get.
public enum SignInFace: Sendable, Equatable {
    /// A browser: cookies, and a token that the device is known by.
    case page(remember: Bool)
    /// An API client: an access token and a refresh token, and no cookie.
    case api
}

/// A sign-in that succeeded. Its secrets are there this once; part of no `Encodable` type.
public struct SignedIn: Sendable {
    public let user: User
    /// The session's id.
    public let session: String
    /// For a page.
    public let secrets: SessionSecrets?
    /// For an API client.
    public let tokens: IssuedTokens?
    /// For a page: to be kept by the browser for a year from now on, so that it is let through a lock.
    public let deviceToken: String?
}

/// Everything random or signed that a sign-in may need, made outside of its transaction.
struct SignInMaterials: Sendable {
    let sessionID: String
    let secrets: NewSessionSecrets
    let device: SecretText
    let refresh: SecretText
    let unlock: SecretText

    init(_ random: any RandomSource) throws(AccountsError) {
        sessionID = try random.id("ses")
        secrets = try NewSessionSecrets(random)
        device = try SecretText(random)
        refresh = try SecretText(random)
        unlock = try SecretText(random)
    }
}
