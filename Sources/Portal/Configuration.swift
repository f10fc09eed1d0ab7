public import Accounts
public import Core
public import Federation

/// What the portal needs to know; replaced whole at a reload.
public struct Configuration: Sendable {
    /// How the cookies of a session are set.
    public struct Cookies: Sendable, Hashable {
        /// `sessions.cookie.name`.
        public var name: String
        /// `sessions.cookie.domain`; nil: the session is seen by the portal's own host alone.
        public var domain: String?

        /// The default name, for the portal's host alone, unless told otherwise.
        public init(name: String = "gatehouse", domain: String? = nil) {
            self.name = name
            self.domain = domain
        }
    }

    /// The portal's origin without a trailing slash.
    public var publicURL: String
    /// Its host, canonical.
    public var host: String
    /// Where a sign-in may lead.
    public var returns: ReturnPolicy
    /// How the cookies of a session are set.
    public var cookies: Cookies
    /// How the pages look.
    public var look: Look
    /// `login.password.enabled`.
    public var passwordIsEnabled: Bool
    /// `login.registration`.
    public var registration: AccountOperations.Configuration.Registration
    /// `login.magic_link.enabled`.
    public var magicLinkIsEnabled: Bool
    /// `mail` is not `none`, so that links can be asked for.
    public var sendsMail: Bool
    /// `api_keys.scopes`: what owners may give their keys, and what each is for.
    public var keyScopes: [(name: String, summary: String)]
    /// The groups of an identity that pages of a host may be told (`routes[].groups_shown`).
    public var groupsShown: @Sendable (Identity, String) -> [String]
    /// Whether a route names a host.
    public var hasRoute: @Sendable (String) -> Bool
    /// `login.providers`; nil: none.
    public var providers: Providers?
    /// What each of them may do, by its id.
    public var federationTerms: [String: FederationTerms]
    /// The ids that the route at a host and a path offers alone (`routes[].providers`); empty: it offers everything.
    public var offers: @Sendable (_ host: String, _ path: String) -> [String]
    /// The operations behind pages and API.
    public var operations: AccountOperations

    /// Everything else has the defaults of the configuration file.
    public init(publicURL: String, host: String, returns: ReturnPolicy, operations: AccountOperations, look: Look) {
        self.publicURL = publicURL
        self.host = host
        self.returns = returns
        self.operations = operations
        cookies = Cookies()
        self.look = look
        passwordIsEnabled = true
        registration = .closed
        magicLinkIsEnabled = false
        sendsMail = false
        keyScopes = []
        groupsShown = { _, _ in [] }
        hasRoute = { _ in false }
        federationTerms = [:]
        offers = { _, _ in [] }
    }

    var hasProviders: Bool { providers?.all.isEmpty == false }

    /// Where a provider sends browsers back to.
    func redirectURI(_ provider: String) -> String { "\(publicURL)/.auth/oauth/\(provider)/callback" }

    func terms(of provider: String) -> FederationTerms {
        federationTerms[provider] ?? FederationTerms(linksUnused: false)
    }

    var isSecure: Bool { publicURL.hasPrefix("https://") }
}

/// What the portal takes from its process.
public struct Services: Sendable {
    /// The time.
    public var clock: any WallClock
    /// So many bytes that nobody can guess.
    public var random: @Sendable (Int) throws -> [UInt8]
    /// A digest under a key that lives as long as the process (HMAC-SHA-256).
    public var authenticate: @Sendable ([UInt8]) throws -> [UInt8]
    /// What is kept of the refusal of a request, by its id and by whose it was.
    public var refusal: @Sendable (String, String) async -> KeptRefusal?

    /// All fields, named as they are; no refusals are known unless said otherwise.
    public init(
        clock: any WallClock, random: @escaping @Sendable (Int) throws -> [UInt8],
        authenticate: @escaping @Sendable ([UInt8]) throws -> [UInt8],
        refusal: @escaping @Sendable (String, String) async -> KeptRefusal? = { _, _ in nil }
    ) {
        self.clock = clock
        self.random = random
        self.authenticate = authenticate
        self.refusal = refusal
    }
}
