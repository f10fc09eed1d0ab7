public import Core

/// An API key as it is stored, under the SHA-256 of its text.
struct APIKeyRecord: JSONRecord, Equatable {
    var id: String
    var userID: String
    /// The user's epoch when the key was made.
    var epoch: UInt64
    var name: String
    var prefix: String
    var scopes: [String]?
    var routes: [String]?
    var networks: [String]?
    var methods: [String]?
    var createdAt: Timestamp
    var expiresAt: Timestamp
    var revokedAt: Timestamp?
    /// The key that follows this one.
    var rotatedTo: String?

    /// Until then the record stays, so that a refusal can say why.
    var freeAt: Timestamp { min(revokedAt ?? expiresAt, expiresAt) + .seconds(90 * 86_400) }

    var bounds: KeyBounds? {
        if routes == nil, networks == nil, methods == nil { return nil }
        return KeyBounds(
            // A network that cannot be read must not become one less: then the list lets nothing through.
            routes: routes, networks: networks.map { texts in texts.compactMap { Network($0) } }, methods: methods)
    }
}

/// When and from where a credential was last used.
struct LastUseRecord: JSONRecord, Equatable {
    var at: Timestamp
    var address: String?
}

/// An API key as it is shown; never the key itself.
public struct APIKey: Encodable, Sendable, Equatable {
    /// Names the key; not secret.
    public let id: String
    /// Whose it is.
    public let userID: String
    /// Whose it is; nil when the account was deleted.
    public let username: String?
    /// What its owner calls it.
    public let name: String
    /// The first 12 characters.
    public let prefix: String
    /// Nil: it passes where its user does.
    public let scopes: [String]?
    public let routes: [String]?
    public let networks: [String]?
    public let methods: [String]?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp
    public let revokedAt: Timestamp?
    /// As far as it was written: at most some ten seconds behind.
    public let lastUsedAt: Timestamp?
    /// The key that a rotation made for this one.
    public let rotatedTo: String?

    init(_ record: APIKeyRecord, username: String?, lastUsedAt: Timestamp?) {
        id = record.id
        userID = record.userID
        self.username = username
        name = record.name
        prefix = record.prefix
        scopes = record.scopes
        routes = record.routes
        networks = record.networks
        methods = record.methods
        createdAt = record.createdAt
        expiresAt = record.expiresAt
        revokedAt = record.revokedAt
        self.lastUsedAt = lastUsedAt
        rotatedTo = record.rotatedTo
    }

    private enum CodingKeys: String, CodingKey {
        case id, username, name, scopes, routes, networks, methods
        case userID = "user_id"
        case prefix = "key_prefix"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case revokedAt = "revoked_at"
        case lastUsedAt = "last_used_at"
        case rotatedTo = "rotated_to"
    }
}

/// A key that has just been made: the only time that its text is there.
public struct IssuedAPIKey: Sendable {
    /// What is kept of it.
    public let key: APIKey
    /// The key itself, to be shown once. Not part of any `Encodable` type.
    public let secret: String
}

/// What the operator allows for API keys (`api_keys` in the configuration).
public struct KeyPolicy: Sendable {
    /// Of a key that names no lifetime.
    public var defaultLifetime: Duration
    /// The longest that may be asked for.
    public var maximumLifetime: Duration
    /// A key must be bound to routes.
    public var requireRoutes: Bool
    /// So many good keys an owner may have before one must end; the operator is not held to it.
    public var maximumCount = 100

    /// The configuration's defaults.
    public init(
        defaultLifetime: Duration = .seconds(90 * 86_400), maximumLifetime: Duration = .seconds(365 * 86_400),
        requireRoutes: Bool = false
    ) {
        self.defaultLifetime = defaultLifetime
        self.maximumLifetime = maximumLifetime
        self.requireRoutes = requireRoutes
    }
}

/// A key to be made. Lists that are nil do not bind.
public struct NewAPIKey: Sendable {
    /// Id, user name or e-mail address.
    public var user: String
    /// What its owner calls it.
    public var name: String
    /// RFC 6749 scope tokens.
    public var scopes: [String]?
    /// Names of routes.
    public var routes: [String]?
    /// Where it may be used from.
    public var networks: [Network]?
    /// Request methods; `GET` covers HEAD.
    public var methods: [String]?
    /// Nil: the policy's default.
    public var lifetime: Duration?

    /// All fields, named as they are.
    public init(
        user: String, name: String, scopes: [String]? = nil, routes: [String]? = nil, networks: [Network]? = nil,
        methods: [String]? = nil, lifetime: Duration? = nil
    ) {
        self.user = user
        self.name = name
        self.scopes = scopes
        self.routes = routes
        self.networks = networks
        self.methods = methods
        self.lifetime = lifetime
    }
}
