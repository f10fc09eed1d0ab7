internal import Accounts
internal import Core

extension Endpoint {
    static let keyOperations: [Endpoint] = [
        api("GET", "/api-keys") { try $0.apiKeys() },
        api("POST", "/api-keys") { try await $0.apiCreateKey() },
        api("DELETE", "/api-keys/{id}") { try await $0.apiRevokeKey() },
        api("POST", "/api-keys/{id}/rotate") { try await $0.apiRotateKey() },
        api("POST", "/password/forgot") { try await $0.apiForgotPassword() },
        api("POST", "/password/reset") { try await $0.apiResetPassword() },
    ]
}

private enum KeyWire {
    struct New: APIBody {
        static let isOpen = false

        var name: String
        var scopes: [String]?
        var routes: [String]?
        var networks: [String]?
        var methods: [String]?
        var expiresDays: Int64?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, scopes, routes, networks, methods
            case expiresDays = "expires_days"
        }
    }

    /// Shown once.
    struct Issued: Encodable {
        var id: String
        var secret: String
        var prefix: String

        enum CodingKeys: String, CodingKey {
            case id
            case secret = "api_key"
            case prefix = "key_prefix"
        }
    }

    struct View: Encodable {
        var key: APIKey

        enum CodingKeys: String, CodingKey {
            case id, name, scopes, routes
            case prefix = "key_prefix"
            case lastUsedAt = "last_used_at"
            case expiresAt = "expires_at"
            case createdAt = "created_at"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(key.id, forKey: .id)
            try container.encode(key.name, forKey: .name)
            try container.encode(key.prefix, forKey: .prefix)
            try container.encode(key.scopes, forKey: .scopes)
            try container.encode(key.routes, forKey: .routes)
            try container.encode(key.lastUsedAt?.rfc3339, forKey: .lastUsedAt)
            try container.encode(key.expiresAt.rfc3339, forKey: .expiresAt)
            try container.encode(key.createdAt.rfc3339, forKey: .createdAt)
        }
    }

    struct Email: APIBody {
        var email: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case email
        }
    }

    struct Reset: APIBody {
        var token: String
        var password: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case token, password
        }
    }
}

extension PortalRequest {
    // MARK: Keys

    /// Those that can be used.
    func apiKeys() throws -> Answer {
        let principal = try principal()
        let part = try listPart()
        let page = try operations.goodAPIKeys(of: principal, limit: part.limit, before: part.before)
        return try json(page.items.map(KeyWire.View.init), part, next: page.next)
    }

    func apiCreateKey() async throws -> Answer {
        let principal = try writer()
        let new = try body(KeyWire.New.self)
        var networks: [Network]?
        if let texts = new.networks {
            networks = texts.compactMap { Network($0) }
            guard networks?.count == texts.count else {
                throw PortalFailure(status: 400, code: "invalid_request", detail: "That is no list of networks.")
            }
        }
        if let days = new.expiresDays, !(1...36_500).contains(days) {
            throw PortalFailure(
                status: 400, code: "invalid_request", detail: "expires_days must be a number of days from 1.")
        }
        let issued = try await operations.createAPIKey(
            NewAPIKey(
                user: principal.userID, name: new.name, scopes: new.scopes, routes: new.routes, networks: networks,
                methods: new.methods, lifetime: new.expiresDays.map { .seconds($0 * 86_400) }), of: principal,
            from: client())
        return try json(issued: issued)
    }

    private func json(issued: IssuedAPIKey) throws -> Answer {
        try json(KeyWire.Issued(id: issued.key.id, secret: issued.secret, prefix: issued.key.prefix), status: 201)
    }

    func apiRevokeKey() async throws -> Answer {
        let principal = try writer()
        guard try await operations.revokeAPIKey(parameters["id"] ?? "", of: principal, from: client()) else {
            throw PortalFailure(status: 404, code: "not_found", detail: "This key was revoked before.")
        }
        return Self.noContent
    }

    func apiRotateKey() async throws -> Answer {
        let principal = try writer()
        let issued = try await operations.rotateAPIKey(parameters["id"] ?? "", of: principal, from: client())
        return try json(issued: issued)
    }

    // MARK: Links

    func apiForgotPassword() async throws -> Answer {
        let email = try body(KeyWire.Email.self).email
        guard configuration.sendsMail else { throw PortalFailure.noMail }
        try await operations.forgotPassword(email, from: client())
        return Self.accepted
    }

    func apiResetPassword() async throws -> Answer {
        let reset = try body(KeyWire.Reset.self)
        try await operations.resetPassword(
            reset.token, to: SecretBytes(copying: Array(reset.password.utf8)), from: client())
        return Self.noContent
    }
}

extension PortalFailure {
    static let noMail = PortalFailure(
        status: 403, code: "refused", detail: "This site sends no mail: ask whoever runs it.")
}
