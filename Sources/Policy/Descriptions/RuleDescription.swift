public import Core

/// A rule as the configuration wrote it. It matches when all its conditions do; a condition that is nil always does, a
/// list is met by any of its members.
public struct RuleDescription: Sendable {
    /// What happens where the rule matches.
    public enum Effect: Sendable {
        /// Lets in whom the requirement fits; everybody else is asked to sign in, to step up, or refused.
        case allow(Requirement)
        /// Refuses whom the requirement fits. For everybody else the rule does not count and the next one is tried: it
        /// never lets anybody in.
        case deny(Requirement)
    }

    /// What happens where it matches.
    public var effect: Effect
    /// Path globs.
    public var paths: [String]?
    /// Request methods, case-sensitive; `GET` covers HEAD.
    public var methods: [String]?
    /// The client's address is in one of them; an unknown address is in none.
    public var networks: [Network]?
    /// Only CORS preflights match. False is no condition.
    public var preflight: Bool
    /// For logs and `explain`.
    public var name: String?
    /// Judged and reported, never enforced.
    public var shadow: Bool
    /// Its index in the list in which it was written, by which it is told; nil: that among the route's rules.
    public var place: Int?

    /// A rule without conditions unless said otherwise.
    public init(
        _ effect: Effect, paths: [String]? = nil, methods: [String]? = nil, networks: [Network]? = nil,
        preflight: Bool = false, name: String? = nil, shadow: Bool = false
    ) {
        self.effect = effect
        self.paths = paths
        self.methods = methods
        self.networks = networks
        self.preflight = preflight
        self.name = name
        self.shadow = shadow
    }
}

/// Whom a rule means.
public enum Requirement: Sendable {
    /// Anybody, also without a credential or with a bad one.
    case everyone
    /// Anybody with a valid credential (one that carries scopes excepted: see ``Conditions/scopes``).
    case signedIn
    /// Whoever meets one of the maps.
    case anyOf([Conditions])
}

/// One map of a requirement: all its keys must hold. A key that is nil is absent.
public struct Conditions: Sendable {
    /// What `factors` can ask for.
    public enum Factors: Sendable, Hashable {
        /// Two independent factors.
        case two
        /// A passkey was used.
        case passkey
    }

    /// User names, compared without regard to case: any of them.
    public var users: [String]?
    /// Groups, compared byte for byte: any of them.
    public var groups: [String]?
    /// Scopes: all of them must be held. An API key or token of ours that carries scopes meets only maps with this key.
    public var scopes: [String]?
    /// How the person proved themselves; never met by keys and JWTs, whose factors are not known.
    public var factors: Factors?
    /// How long ago that may be; not met by a credential that does not say.
    public var maxAge: Duration?
    /// Kinds of credential: any of them.
    public var credentials: [Identity.Kind]?

    /// No key unless given.
    public init(
        users: [String]? = nil, groups: [String]? = nil, scopes: [String]? = nil, factors: Factors? = nil,
        maxAge: Duration? = nil, credentials: [Identity.Kind]? = nil
    ) {
        self.users = users
        self.groups = groups
        self.scopes = scopes
        self.factors = factors
        self.maxAge = maxAge
        self.credentials = credentials
    }
}
