public import Core
public import JOSE

/// One entry of `jwt.issuers`: somebody else's tokens that are accepted as credentials.
public struct IssuerConfiguration: Sendable, Hashable {
    /// Where the issuer's keys come from.
    public enum KeySource: Sendable, Hashable {
        /// A JWK set at this URL.
        case url(String)
        /// OpenID Connect Discovery 1.0 section 4 below the issuer's own URL.
        case discovery
        /// A JWK set that the operator wrote; only such a set may hold symmetric keys.
        case inline([UInt8])
    }

    /// The names of the claims that an identity is made from.
    public struct ClaimNames: Sendable, Hashable {
        public var user: String
        public var email: String
        public var name: String
        public var groups: String
        public var scopes: String

        /// The names that most issuers use.
        public init(
            user: String = "sub", email: String = "email", name: String = "name", groups: String = "groups",
            scopes: String = "scope"
        ) {
            self.user = user
            self.email = email
            self.name = name
            self.groups = groups
            self.scopes = scopes
        }
    }

    /// The name in configuration, logs and prefixes.
    public var id: String
    /// What `iss` must equal, byte for byte.
    public var issuer: String
    /// One of these must be in `aud`.
    public var audiences: [String]
    /// Where the keys come from.
    public var keys: KeySource
    /// What a token may be signed with.
    public var algorithms: Set<JWSAlgorithm>
    /// Which claims are read.
    public var claims: ClaimNames
    /// Put before the user name; empty lets this issuer name any user.
    public var userPrefix: String
    /// Put before each group.
    public var groupsPrefix: String
    /// The issuer's e-mail claim counts as verified without `email_verified`.
    public var emailTrusted: Bool
    /// How an identity is matched with a local account.
    public var matching: ForeignIdentity.Matching

    /// All fields, named as they are.
    public init(
        id: String, issuer: String, audiences: [String], keys: KeySource, algorithms: Set<JWSAlgorithm>,
        claims: ClaimNames = ClaimNames(), userPrefix: String, groupsPrefix: String, emailTrusted: Bool = false,
        matching: ForeignIdentity.Matching = .none
    ) {
        self.id = id
        self.issuer = issuer
        self.audiences = audiences
        self.keys = keys
        self.algorithms = algorithms
        self.claims = claims
        self.userPrefix = userPrefix
        self.groupsPrefix = groupsPrefix
        self.emailTrusted = emailTrusted
        self.matching = matching
    }
}
