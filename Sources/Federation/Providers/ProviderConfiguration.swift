public import Core

/// One entry of `login.providers`: somebody else who says who people are.
public struct ProviderConfiguration: Sendable {
    /// What kind of provider it is, and so how it is talked with.
    public enum Kind: String, Sendable, CaseIterable {
        case google, github, gitlab, microsoft, apple, oidc, oauth2

        /// It speaks OpenID Connect; the others only OAuth 2.0.
        public var speaksOpenIDConnect: Bool {
            switch self {
            case .google, .gitlab, .microsoft, .apple, .oidc: true
            case .github, .oauth2: false
            }
        }
    }

    /// Whom it may bring: a person for whom every restriction holds. None: anyone.
    public struct Acceptance: Sendable, Hashable {
        /// Verified e-mail addresses.
        public var emails: [EmailAddress]?
        /// The domains of verified e-mail addresses, in lower case; none below them.
        public var domains: [String]?
        /// Google's `hd`, in lower case.
        public var hostedDomains: [String]?
        /// Groups as the provider calls them, without our prefix.
        public var groups: [String]?
        /// GitHub's organisations, in lower case.
        public var organizations: [String]?

        /// Anyone, unless restricted.
        public init() {}
    }

    /// In addresses, in the configuration and in logs.
    public var id: String
    public var kind: Kind
    /// What the button says.
    public var name: String
    /// `iss` of its tokens, and where its metadata is found; of GitHub its address. With the subject it is what people
    /// are known by.
    public var issuer: String
    public var clientID: String
    /// Nil when secrets were left alone, and for Apple.
    public var clientSecret: SecretBytes?
    /// Apple's alone.
    public var signingKey: SigningKey?
    /// That of the kind of this name alone.
    public var oauth2: OAuth2?
    /// What is asked for, in order.
    public var scopes: [String]
    public var acceptance: Acceptance
    /// The claim that groups are read from; nil: none are.
    public var groupsClaim: String?
    /// Put before each group.
    public var groupsPrefix: String
    /// An app is given its access tokens, so that they are kept and refreshed.
    public var keepsTokens = false

    /// All fields, named as they are.
    public init(
        id: String, kind: Kind, name: String, issuer: String, clientID: String, clientSecret: SecretBytes?,
        scopes: [String], acceptance: Acceptance = Acceptance(), groupsClaim: String? = nil, groupsPrefix: String
    ) {
        self.id = id
        self.kind = kind
        self.name = name
        self.issuer = issuer
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.scopes = scopes
        self.acceptance = acceptance
        self.groupsClaim = groupsClaim
        self.groupsPrefix = groupsPrefix
    }

    /// The same in everything; a reload keeps what is known of such a provider.
    func isSame(as other: ProviderConfiguration) -> Bool {
        id == other.id && hasSameKind(as: other) && name == other.name && issuer == other.issuer
            && clientID == other.clientID && scopes == other.scopes && acceptance == other.acceptance
            && groupsClaim == other.groupsClaim && groupsPrefix == other.groupsPrefix
            && keepsTokens == other.keepsTokens
            && clientSecret.map { Array($0.text.utf8) } == other.clientSecret.map { Array($0.text.utf8) }
    }
}

extension SecretBytes {
    /// For the one request that needs it.
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
