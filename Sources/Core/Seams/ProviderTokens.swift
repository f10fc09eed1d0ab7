/// A provider by its id in the configuration, its `iss`, and what we are to it: one alone could come to mean somebody
/// else after a reload.
public struct TokenProvider: Sendable, Hashable {
    public let id: String
    public let issuer: String
    /// As which of its clients we are known there, and where tokens are exchanged: a token that was given to another
    /// client, or elsewhere, is not ours to send.
    public let client: String

    /// All fields, named as they are.
    public init(id: String, issuer: String, client: String = "") {
        self.id = id
        self.issuer = issuer
        self.client = client
    }
}

/// What a provider has given for a person besides the proof of who they are (RFC 6749 section 5.1).
public struct GrantedTokens: Sendable {
    /// 1 to 16,384 bytes of printable ASCII without space.
    public let access: SecretBytes
    /// Likewise; nil: the provider gave none.
    public let refresh: SecretBytes?
    /// Counted from before it was asked for; nil: the provider does not say.
    public let expiresAt: Timestamp?
    /// To whom it was given: ``TokenProvider/client``.
    public let client: String

    /// All fields, named as they are.
    public init(access: SecretBytes, refresh: SecretBytes?, expiresAt: Timestamp?, client: String = "") {
        self.client = client
        self.access = access
        self.refresh = refresh
        self.expiresAt = expiresAt
    }
}

/// What goes with somebody's request to the app of a route with `forward_access_token`.
public enum ProviderTokenReading: Sendable {
    /// Their session began by none of the route's providers, or what its provider gave is good no more.
    case none
    /// The access token, as the provider gave it.
    case token([UInt8])
    /// It is being refreshed: ask again when that has ended, well or not.
    case pending(PendingReading)
}

/// Knows the access tokens of providers. One instance an event loop, used on that loop only, synchronous: it may read
/// the store in place, never wait.
public protocol ProviderTokenReader: AnyObject {
    /// The token of the session by which `identity` is known. Never one of another session, never one past its expiry.
    ///
    /// - Parameters:
    ///   - providers: those whose tokens the route's app may have.
    ///   - mayWait: false: what there is now is all that is wanted, so never ``ProviderTokenReading/pending(_:)``.
    func token(
        of identity: Identity, from providers: [TokenProvider], mayWait: Bool, at now: Timestamp
    ) -> ProviderTokenReading
}
