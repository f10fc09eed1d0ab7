internal import Accounts
internal import Core

extension Endpoint {
    static let operations: [Endpoint] = [
        api("POST", "/login") { try await $0.apiLogin() },
        api("POST", "/token/refresh") { try await $0.apiRefresh() },
        api("POST", "/logout") { try await $0.apiLogout() },
        api("POST", "/reauthenticate") { try await $0.apiReauthenticate() },
        api("GET", "/me") { try $0.apiMe() },
        api("PATCH", "/me") { try await $0.apiRename() },
        api("GET", "/sessions") { try $0.apiSessions() },
        api("DELETE", "/sessions/{id}") { try await $0.apiRevokeSession() },
        api("DELETE", "/sessions") { try await $0.apiRevokeOthers() },
        api("POST", "/password/change") { try await $0.apiChangePassword() },
        Endpoint(method: "GET", path: "/.auth/openapi.json", face: .api) { OpenAPI.answer(for: $0.configuration) },
    ]
}

/// What the API takes and gives. No type that goes out has a member for a secret but the one that hands out tokens.
private enum Wire {
    struct Login: APIBody {
        var email: String
        var password: String
        var code: String?
        var deviceName: String?
        var passkey: SecondPasskey?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case email, password, passkey
            case code = "two_factor_code"
            case deviceName = "device_name"
        }
    }

    struct Refresh: APIBody {
        var refreshToken: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case refreshToken = "refresh_token"
        }
    }

    struct Again: APIBody {
        var password: String?
        var code: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case password, code
        }
    }

    struct PasswordChange: APIBody {
        var currentPassword: String
        var password: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case password
            case currentPassword = "current_password"
        }
    }

    struct Name: APIBody {
        var name: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name
        }
    }

    struct Tokens: Encodable {
        var tokens: IssuedTokens

        enum CodingKeys: String, CodingKey {
            case accessToken = "access_token"
            case tokenType = "token_type"
            case expiresIn = "expires_in"
            case refreshToken = "refresh_token"
            case sessionID = "session_id"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(tokens.accessToken, forKey: .accessToken)
            try container.encode("bearer", forKey: .tokenType)
            try container.encode(tokens.expiresIn, forKey: .expiresIn)
            try container.encode(tokens.refreshToken, forKey: .refreshToken)
            try container.encode(tokens.session, forKey: .sessionID)
        }
    }

    struct Me: Encodable {
        var id: String
        var email: String?
        var emailVerified: Bool
        var username: String
        var name: String
        var groups: [String]
        var factors: Int

        enum CodingKeys: String, CodingKey {
            case id, email, username, name, groups, factors
            case emailVerified = "email_verified"
        }
    }

    struct SessionView: Encodable {
        var session: Session

        enum CodingKeys: String, CodingKey {
            case id
            case deviceName = "device_name"
            case ipAddress = "ip_address"
            case userAgent = "user_agent"
            case createdAt = "created_at"
            case lastActivity = "last_activity"
            case isCurrent = "is_current"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(session.id, forKey: .id)
            try container.encode(session.deviceName, forKey: .deviceName)
            try container.encode(session.ipAddress, forKey: .ipAddress)
            try container.encode(session.userAgent, forKey: .userAgent)
            try container.encode(session.createdAt.rfc3339, forKey: .createdAt)
            try container.encode((session.lastActivity ?? session.createdAt).rfc3339, forKey: .lastActivity)
            try container.encode(session.isCurrent, forKey: .isCurrent)
        }
    }
}

extension PortalRequest {
    // MARK: In and out

    /// Gives tokens and sets no cookie, so a page of another site gains nothing by it.
    func apiLogin() async throws -> Answer {
        let (login, text) = try bodies(Wire.Login.self)
        let signedIn = try await operations.signIn(
            login.email, password: SecretBytes(copying: Array(login.password.utf8)), code: login.code,
            passkey: try secondPasskey(text), as: .api, from: client(deviceName: login.deviceName))
        return try tokens(of: signedIn)
    }

    /// What an API client gets for whatever it signed in by.
    func tokens(of signedIn: SignedIn) throws -> Answer {
        guard let tokens = signedIn.tokens else { throw PortalFailure.notFound }
        return try json(tokens: tokens)
    }

    func json(tokens: IssuedTokens) throws -> Answer { try json(Wire.Tokens(tokens: tokens)) }

    func apiRefresh() async throws -> Answer {
        let token = try body(Wire.Refresh.self).refreshToken
        return try json(Wire.Tokens(tokens: try await operations.refresh(token, from: client())))
    }

    func apiLogout() async throws -> Answer {
        let principal = try writer()
        guard let identity = local.identity else { throw PortalFailure.notFound }
        try await operations.signOut(identity, from: client())
        return principal.usesCookie ? Self.noContent.setting(cookies.none) : Self.noContent
    }

    func apiReauthenticate() async throws -> Answer {
        let principal = try writer()
        try requireJSON()
        return Self.noContent.setting(try await provedAgain(principal).map(cookies.session) ?? [])
    }

    /// By a passkey, or else by exactly one of a password and a code.
    private func provedAgain(_ principal: Principal) async throws -> SessionSecrets? {
        if let proof = PasskeyProof(json: local.body) {
            return try await operations.reauthenticate(principal, passkey: proof, from: client())
        }
        let again = try body(Wire.Again.self)
        switch (again.password, again.code) {
        case (let password?, nil):
            return try await operations.reauthenticate(
                principal, password: SecretBytes(copying: Array(password.utf8)), from: client())
        case (nil, let code?): return try await operations.reauthenticate(principal, code: code, from: client())
        case (nil, nil), (.some, .some): throw PortalFailure.invalidRequest("Give either the password or a code.")
        }
    }

    // MARK: Who

    func apiMe() throws -> Answer { try me(try operations.user(try principal())) }

    func apiRename() async throws -> Answer {
        let principal = try writer()
        let name = try body(Wire.Name.self).name
        return try me(try await operations.rename(principal, to: name, from: client()))
    }

    private func me(_ user: User) throws -> Answer {
        try json(
            Wire.Me(
                id: user.id, email: user.email, emailVerified: user.emailVerified, username: user.username,
                name: user.name, groups: user.groups, factors: local.identity?.factors ?? 0))
    }

    /// For a page of an app: by the cookie that it may see, and nothing that it could not see in its headers.
    func whoOnAppHost() throws -> Answer {
        // A key with bounds or scopes says nothing where nobody holds them against the request.
        guard let identity = local.identity, identity.bounds == nil, identity.scopes == nil else {
            throw local.refusedCredential.map(PortalFailure.init(credential:))
                ?? PortalFailure(
                    status: 401, code: Reason.signInRequired.rawValue, detail: "Nobody is signed in.")
        }
        return try json(
            Wire.Me(
                id: identity.subject, email: identity.email, emailVerified: identity.email != nil,
                username: identity.user, name: identity.name, groups: configuration.groupsShown(identity, local.host),
                factors: identity.factors))
    }

    // MARK: Sessions

    func apiSessions() throws -> Answer {
        let principal = try principal()
        let part = try listPart()
        let page = try operations.sessions(of: principal, limit: part.limit, before: part.before)
        return try json(page.items.map(Wire.SessionView.init), part, next: page.next)
    }

    func apiRevokeSession() async throws -> Answer {
        let principal = try writer()
        guard try await operations.revokeSession(parameters["id"] ?? "", of: principal, from: client()) else {
            throw PortalFailure(status: 404, code: "not_found", detail: "This session was ended before.")
        }
        return Self.noContent
    }

    func apiRevokeOthers() async throws -> Answer {
        try await operations.revokeSessions(of: try writer(), from: client())
        return Self.noContent
    }

    // MARK: Password

    func apiChangePassword() async throws -> Answer {
        let principal = try writer()
        let change = try body(Wire.PasswordChange.self)
        let secrets = try await operations.changePassword(
            of: principal, current: SecretBytes(copying: Array(change.currentPassword.utf8)),
            to: SecretBytes(copying: Array(change.password.utf8)), from: client())
        return Self.noContent.setting(secrets.map(cookies.session) ?? [])
    }
}
