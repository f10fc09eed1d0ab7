/// A route as the configuration wrote it, before it is compiled. Only what a verdict and the identity headers need;
/// upstreams, limits and time-outs are found elsewhere by the route's index.
public struct RouteDescription: Sendable {
    /// Unique and not empty; it stands in logs, metrics and the bounds of keys.
    public var name: String
    /// Host names, without a port: exact ones, or `*.example.com` for everything below a name (at any depth, the name
    /// itself not included). Letters outside ASCII are allowed. Nil: any host.
    public var hosts: [String]?
    /// Path globs of the part of the host that this route takes. Nil: all of it.
    public var paths: [String]?
    /// In the order in which they are tried.
    public var rules: [RuleDescription]
    /// Where a credential of ours is looked for.
    public var credentialsFrom: CredentialSources
    /// The scheme of `WWW-Authenticate`.
    public var challenge: Challenge
    /// The scheme under which clients reach it.
    public var scheme: Scheme
    /// The audience of its assertions. Nil: the name.
    public var audience: String?
    /// Whether the app gets a signed assertion.
    public var assertion: Bool
    /// The names of the identity headers.
    public var headers: IdentityHeaders.Layout
    /// Globs of the groups that the app is told; `*` is any run of characters.
    public var groupsShown: [String]
    /// What is otherwise refused in a path.
    public var keepInPath: KeptInPath
    /// Whether globs compare without regard to case.
    public var ignorePathCase: Bool
    /// Other origins from which an `Upgrade` by cookie may come, as configured.
    public var origins: [String]
    /// The app gets the access token of the provider by which somebody has signed in.
    public var forwardsAccessToken = false

    /// Everything but the name has the default of the configuration.
    public init(
        name: String, hosts: [String]? = nil, paths: [String]? = nil, rules: [RuleDescription] = [],
        credentialsFrom: CredentialSources = .all, challenge: Challenge = .bearer, scheme: Scheme = .https,
        audience: String? = nil, assertion: Bool = true, headers: IdentityHeaders.Layout = .preset(.remote),
        groupsShown: [String] = ["*"], keepInPath: KeptInPath = [], ignorePathCase: Bool = false,
        origins: [String] = []
    ) {
        self.name = name
        self.hosts = hosts
        self.paths = paths
        self.rules = rules
        self.credentialsFrom = credentialsFrom
        self.challenge = challenge
        self.scheme = scheme
        self.audience = audience
        self.assertion = assertion
        self.headers = headers
        self.groupsShown = groupsShown
        self.keepInPath = keepInPath
        self.ignorePathCase = ignorePathCase
        self.origins = origins
    }
}

/// Where a credential of ours is looked for on a route (`credentials_from`).
public struct CredentialSources: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// A cookie of our name.
    public static let cookie = CredentialSources(rawValue: 1)
    /// `Gatehouse-Key` and `X-API-Key`.
    public static let key = CredentialSources(rawValue: 2)
    /// `Authorization`.
    public static let authorization = CredentialSources(rawValue: 4)
    /// All three.
    public static let all: CredentialSources = [.cookie, .key, .authorization]

    /// One source by its word in the configuration.
    public init?(configured word: String) {
        switch word {
        case "cookie": self = .cookie
        case "key": self = .key
        case "authorization": self = .authorization
        case _: return nil
        }
    }
}

/// What a route lets through in a path although readers disagree about it (`keep_in_path`); every reading is judged.
public struct KeptInPath: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `%2f`
    public static let encodedSlash = KeptInPath(rawValue: 1)
    /// `%5c`
    public static let encodedBackslash = KeptInPath(rawValue: 2)
    /// `//`
    public static let emptySegment = KeptInPath(rawValue: 4)

    /// One switch by its word in the configuration.
    public init?(configured word: String) {
        switch word {
        case "encoded_slash": self = .encodedSlash
        case "encoded_backslash": self = .encodedBackslash
        case "empty_segment": self = .emptySegment
        case _: return nil
        }
    }
}

/// The scheme that `WWW-Authenticate` names.
public enum Challenge: String, Sendable, CaseIterable {
    case bearer, basic
}

/// The scheme of a route's URLs.
public enum Scheme: String, Sendable, CaseIterable {
    case https, http
}
