/// Who a valid credential proved. Immutable; one object lives as long as a cache holds it, so that what is rendered
/// from it can be kept beside it and compared by identity (`===`).
public final class Identity: Sendable {
    /// The kinds that a rule's `credentials` can name.
    public enum Kind: String, Sendable, CaseIterable {
        /// A session cookie, or an access token of a session.
        case session
        case apiKey = "api_key"
        /// A JWT of a configured issuer.
        case jwt
        /// A TLS client certificate.
        case certificate
    }

    /// What the kind of the credential is.
    public let kind: Kind
    /// The credential's own id, for logs and audit: the session's id, the API key's id, or a JWT's `jti` (else the
    /// first 16 characters of its digest in hexadecimal). Never a secret.
    public let credentialID: String
    /// The opaque id that never changes: a local user's id, or prefix and `sub` of a foreign issuer.
    public let subject: String
    /// The unique user name that `Remote-User` carries.
    public let user: String
    /// The e-mail address, nil where there is none or a foreign issuer's is not known to be verified.
    public let email: String?
    /// The display name; empty when there is none.
    public let name: String
    /// All groups, sorted by bytes and without duplicates.
    public let groups: [String]
    /// What the credential was narrowed to; nil when it carries no scopes.
    public let scopes: [String]?
    /// RFC 8176 authentication method references; empty for keys.
    public let amr: [String]
    /// How many independent factors were proved (0 for keys and foreign JWTs, whose factors are not known).
    public let factors: Int
    /// When a person last proved themselves; nil for keys.
    public let authenticatedAt: Timestamp?
    /// When a code or a passkey was last proved; nil: never in this session, or it is no session.
    public let secondFactorAt: Timestamp?
    /// The session's id, where there is one.
    public let session: String?
    /// The configured id of the foreign issuer; nil when the credential is our own.
    public let issuer: String?
    /// When the credential ends; compared at each use. Nil when it does not.
    public let expiresAt: Timestamp?
    /// What an API key is bound to; nil when it is bound to nothing.
    public let bounds: KeyBounds?
    /// From what it was made, for ``CredentialReader/recheck(_:at:)``; nil when it cannot be judged again.
    public let origin: CredentialOrigin?

    /// - Parameter groups: in any order, duplicates allowed.
    public init(
        kind: Kind, credentialID: String, subject: String, user: String, email: String? = nil, name: String = "",
        groups: [String] = [], scopes: [String]? = nil, amr: [String] = [], factors: Int = 0,
        authenticatedAt: Timestamp? = nil, secondFactorAt: Timestamp? = nil, session: String? = nil,
        issuer: String? = nil, expiresAt: Timestamp? = nil, bounds: KeyBounds? = nil, origin: CredentialOrigin? = nil
    ) {
        self.kind = kind
        self.credentialID = credentialID
        self.subject = subject
        self.user = user
        self.email = email
        self.name = name
        self.groups =
            groups.count < 2 ? groups : Set(groups).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.scopes = scopes
        self.amr = amr
        self.factors = factors
        self.authenticatedAt = authenticatedAt
        self.secondFactorAt = secondFactorAt
        self.session = session
        self.issuer = issuer
        self.expiresAt = expiresAt
        self.bounds = bounds
        self.origin = origin
    }
}

/// What an API key may be used for, beside its scopes. A list that is nil does not bind; an empty one lets nothing
/// through.
public struct KeyBounds: Hashable, Sendable {
    /// Names of routes.
    public var routes: [String]?
    /// Networks that the client's address must be in.
    public var networks: [Network]?
    /// Request methods, upper case; `GET` covers HEAD.
    public var methods: [String]?

    /// Binds by what is not nil.
    public init(routes: [String]? = nil, networks: [Network]? = nil, methods: [String]? = nil) {
        self.routes = routes
        self.networks = networks
        self.methods = methods
    }
}
