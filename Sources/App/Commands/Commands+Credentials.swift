internal import Accounts
internal import Core
internal import Policy
internal import Settings

extension Commands {
    /// What `api-key create` takes.
    public struct NewKey: Sendable {
        var user: String
        var name: String
        var scopes: [String]?
        var routes: [String]?
        var networks: [String]?
        var methods: [String]?
        var lifetime: String?

        /// As typed.
        public init(
            user: String, name: String, scopes: [String]?, routes: [String]?, networks: [String]?, methods: [String]?,
            lifetime: String?
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

    /// `api-key create`.
    public static func createKey(_ invocation: Invocation, _ new: NewKey) throws {
        try invocation.withStore { store, context in
            let known = Set(context.settings.routes.map(\.policy.name))
            for route in new.routes ?? [] where !known.contains(route) {
                throw CommandFailure(
                    .usage, "there is no route “\(route)”; there are: \(known.sorted().joined(separator: ", "))")
            }
            let key = NewAPIKey(
                user: new.user, name: new.name, scopes: new.scopes, routes: new.routes,
                networks: try new.networks?.map(network), methods: new.methods?.map { $0.uppercased() },
                lifetime: try new.lifetime.map(duration))
            let issued = try typed { try store.createAPIKey(key, policy: context.keyPolicy, by: context.actor) }
            try printIssued(issued, context)
        }
    }

    /// `api-key list`.
    public static func listKeys(_ invocation: Invocation, user: String?, expiringWithin: String?) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.apiKeys(user: user, expiringWithin: try expiringWithin.map(duration)),
                columns: [
                    ("ID", { $0.id }), ("USER", { $0.username ?? "(deleted)" }), ("NAME", { $0.name }),
                    ("PREFIX", { $0.prefix }),
                    ("SCOPES", { $0.scopes?.joined(separator: " ") ?? "-" }),
                    ("EXPIRES", { $0.expiresAt.rfc3339 }),
                    ("LAST USED", { $0.lastUsedAt?.rfc3339 ?? "never" }),
                    ("STATE", { $0.revokedAt == nil ? "" : "revoked" }),
                ])
        }
    }

    /// `api-key revoke`.
    public static func revokeKey(_ invocation: Invocation, id: String) throws {
        try invocation.withStore { store, context in
            let key = try store.revokeAPIKey(id, by: context.actor)
            try context.output.value(key) { "Revoked \(key.prefix)… of \(key.username ?? "a deleted account")." }
        }
    }

    /// `api-key rotate`.
    public static func rotateKey(_ invocation: Invocation, id: String, overlap: String) throws {
        try invocation.withStore { store, context in
            let overlap = try duration(overlap)
            let issued = try typed {
                try store.rotateAPIKey(id, overlap: overlap, policy: context.keyPolicy, by: context.actor)
            }
            try printIssued(issued, context)
        }
    }

    /// `api-key import`: a whole number of thousands at a time, for stores of a million keys.
    public static func importKeys(_ invocation: Invocation, user: String, name: String) throws {
        try invocation.withStore { store, context in
            struct Answer: Encodable {
                let imported: Int
            }
            let keys = TextFile.lines(of: try TextFile.read("-")).filter { !$0.isEmpty }
            let count = try store.importAPIKeys(
                keys, user: user, name: name, policy: context.keyPolicy, by: context.actor)
            try context.output.value(Answer(imported: count)) { "\(count) keys were new." }
        }
    }

    /// `token issue`.
    public static func issueToken(_ invocation: Invocation, user: String, lifetime: String?) throws {
        try invocation.withStore(readingMasterKey: true) { store, context in
            // The first command after `init` may come before the first start of the server.
            try store.maintainSigningKeys()
            let lifetime = try lifetime.map(duration) ?? context.settings.tokens.accessLifetime
            let issued = try typed {
                try store.issueAccessToken(user: user, lifetime: lifetime, by: context.actor)
            }
            struct Answer: Encodable {
                let access_token: String
                let expires_in: Int64
            }
            let answer = Answer(access_token: issued.accessToken, expires_in: Int64(issued.expiresIn))
            try context.output.value(answer) { issued.accessToken }
        }
    }

    /// `session list`.
    public static func listSessions(_ invocation: Invocation, user: String?) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.sessions(user: user),
                columns: [
                    ("ID", { $0.id }), ("USER", { $0.username ?? "(deleted)" }), ("CREATED", { $0.createdAt.rfc3339 }),
                    ("EXPIRES", { $0.expiresAt.rfc3339 }),
                ])
        }
    }

    /// `session revoke`.
    public static func revokeSession(_ invocation: Invocation, id: String) throws {
        try invocation.withStore { store, context in
            let session = try store.revokeSession(id, by: context.actor)
            try context.output.value(session) {
                "Ended session \(session.id) of \(session.username ?? "a deleted account")."
            }
        }
    }

    static func duration(_ text: String) throws(CommandFailure) -> Duration {
        guard let duration = Measures.duration(text) else {
            throw CommandFailure(.usage, "“\(text)” is no duration; write 90s, 15m, 12h or 30d")
        }
        return duration
    }

    static func network(_ text: String) throws(CommandFailure) -> Network {
        guard let network = Network(text) else {
            throw CommandFailure(.usage, "“\(text)” is no address and no network like 192.0.2.0/24")
        }
        return network
    }

    private static func printIssued(_ issued: IssuedAPIKey, _ context: CommandContext) throws {
        struct Answer: Encodable {
            let id: String
            let key: String
            let prefix: String
            let name: String
            let user: String?
            let scopes: [String]?
            let routes: [String]?
            let networks: [String]?
            let methods: [String]?
            let expires_at: String
        }
        let key = issued.key
        let answer = Answer(
            id: key.id, key: issued.secret, prefix: key.prefix, name: key.name, user: key.username, scopes: key.scopes,
            routes: key.routes, networks: key.networks, methods: key.methods,
            expires_at: key.expiresAt.rfc3339)
        try context.output.value(answer) {
            """
            \(issued.secret)
            Keep it now: it is not shown again. id \(key.id), good until \(key.expiresAt.rfc3339).
            """
        }
    }
}
