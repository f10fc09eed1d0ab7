internal import Accounts
internal import Core
internal import Federation

extension Endpoint {
    static let providerOperations: [Endpoint] = [
        api("GET", "/oauth/{provider}") { try await $0.beginForTokens() },
        api("POST", "/token") { try await $0.apiToken() },
        api("GET", "/social-accounts") { try $0.apiSocialAccounts() },
        api("DELETE", "/social-accounts/{id}") { try await $0.apiUnlink() },
    ]
}

private enum Wire {
    struct Code: Encodable {
        var code: String
        var expiresIn: Int64

        enum CodingKeys: String, CodingKey {
            case code
            case expiresIn = "expires_in"
        }
    }

    struct Exchange: Decodable {
        var code: String
        var codeVerifier: String
        var twoFactorCode: String?
        var deviceName: String?

        enum CodingKeys: String, CodingKey {
            case code
            case codeVerifier = "code_verifier"
            case twoFactorCode = "two_factor_code"
            case deviceName = "device_name"
        }
    }

    struct Link: Encodable {
        var account: SocialAccount

        enum CodingKeys: String, CodingKey {
            case id, provider, subject, email
            case linkedAt = "linked_at"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(account.id, forKey: .id)
            try container.encode(account.provider, forKey: .provider)
            try container.encode(account.subject, forKey: .subject)
            try container.encode(account.email, forKey: .email)
            try container.encode(account.linkedAt.rfc3339, forKey: .linkedAt)
        }
    }
}

/// Social sign-in for API clients. The browser ends with a code that is good once, for a minute, and only with the
/// verifier that the client has kept to itself; no token is ever in an address.
extension PortalRequest {
    /// The answer to the browser.
    func handOut(_ identity: FederatedIdentity, _ provider: Provider, _ challenge: String) throws -> Answer {
        let code = try secret()
        portal.federated.codes.insert(
            FederatedCode(identity: identity, provider: provider, challenge: challenge), id: code, from: place,
            until: now + FederatedCode.lifetime)
        guard wantsPage else {
            return try json(Wire.Code(code: code, expiresIn: FederatedCode.lifetime.wholeMilliseconds / 1000))
        }
        return page("provider_code", title: "provider_code_title", ["code": code])
    }

    func apiToken() async throws -> Answer {
        let exchange = try body(Wire.Exchange.self)
        try operations.admitFederatedAnswer(from: client())
        guard let known = portal.federated.codes.take(exchange.code, at: now),
            CodeChallenge.holds(known.challenge, verifier: exchange.codeVerifier),
            configuration.providers?.provider(known.identity.provider) === known.provider
        else {
            try await operations.noteFederatedFailure("wrong_code", provider: nil, from: client())
            throw PortalFailure(
                status: 401, code: "invalid_token", detail: "This code was used, is too old, or is somebody else's.")
        }
        let signedIn = try await operations.signIn(
            by: known.identity, configuration.terms(of: known.identity.provider), code: exchange.twoFactorCode,
            as: .api,
            from: client(deviceName: exchange.deviceName))
        return try tokens(of: signedIn)
    }

    func apiSocialAccounts() throws -> Answer {
        let all = try operations.socialAccounts(of: try principal())
        let part = try listPart()
        let page = try ListPage(of: all, limit: part.limit, before: part.before, id: \.id)
        return try json(page.items.map(Wire.Link.init), part, next: page.next)
    }

    func apiUnlink() async throws -> Answer {
        try await operations.unlink(parameters["id"] ?? "", of: try writer(), from: client())
        return Self.noContent
    }
}
