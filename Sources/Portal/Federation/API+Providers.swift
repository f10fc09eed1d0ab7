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

    struct Exchange: APIBody {
        var code: String
        var codeVerifier: String
        var twoFactorCode: String?
        var deviceName: String?
        var passkey: SecondPasskey?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case code, passkey
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
    /// The answer to the browser: whoever sits there is asked first, since a page of somebody else's may have sent them
    /// here, and a provider that knows them has asked nobody anything. What is no browser has asked by itself.
    func handOut(_ identity: FederatedIdentity, _ provider: Provider, _ challenge: String) async throws -> Answer {
        guard wantsPage else {
            // A page's own request can be anybody's in this browser, and nobody is asked by its answer.
            guard local.values(of: "sec-fetch-mode").isEmpty else { throw PortalFailure.crossSite }
            let code = try await issueCode(to: identity, provider, challenge)
            return try json(Wire.Code(code: code, expiresIn: FederatedCode.lifetime.wholeMilliseconds / 1000))
        }
        guard let browser = local.browserToken else { throw PortalFailure.crossSite }
        let id = try secret()
        let digest = try portal.forms.digest(ofBrowser: browser)
        portal.federated.confirmations.insert(
            FederatedConfirmation(identity: identity, provider: provider, challenge: challenge, browser: digest),
            id: id, from: place, owner: digest, until: now + FederatedConfirmation.lifetime)
        let configured = provider.configuration
        return page(
            "provider_confirm", title: "provider_confirm_title",
            [
                "who": identity.email?.description ?? identity.subject, "provider": configured.name,
                "action": "/.auth/oauth/\(configured.id)/continue", "confirmation": id,
            ])
    }

    /// They have said yes, on our own page and in the browser that came back.
    func continueToClient() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        try operations.admitFederatedAnswer(from: client())
        let asked = form["confirmation"].flatMap { portal.federated.confirmations.take($0, at: now) }
        let provider = parameters["provider"].flatMap { configuration.providers?.provider($0) }
        guard let asked, try isThisBrowser(asked.browser), let provider, asked.provider === provider else {
            let id = asked?.provider.configuration.id ?? provider?.configuration.id
            try await operations.noteFederatedFailure("unknown_confirmation", provider: id, from: client())
            return providerFailure("provider_expired", status: 403, nil)
        }
        let code = try await issueCode(to: asked.identity, provider, asked.challenge)
        return page("provider_code", title: "provider_code_title", ["code": code])
    }

    private func issueCode(
        to identity: FederatedIdentity, _ provider: Provider, _ challenge: String
    ) async throws -> String {
        let code = try secret()
        try await operations.noteSignInCode(.issued, of: identity, from: client())
        portal.federated.codes.insert(
            FederatedCode(
                identity: identity, provider: provider, challenge: challenge,
                endsAt: now + FederatedCode.longestLifetime),
            id: code, from: place, until: now + FederatedCode.lifetime)
        return code
    }

    func apiToken() async throws -> Answer {
        let (exchange, text) = try bodies(Wire.Exchange.self)
        let passkey = try secondPasskey(text)
        try operations.admitFederatedAnswer(from: client())
        let refused = PortalFailure(
            status: 401, code: "invalid_token", detail: "This code was used, is too old, or is somebody else's.")
        // Whoever takes it first has it; of two at once the other finds nothing.
        guard let known = portal.federated.codes.take(exchange.code, at: now) else {
            try await operations.noteFederatedFailure("wrong_code", provider: nil, from: client())
            throw refused
        }
        let isClients = CodeChallenge.holds(known.challenge, verifier: exchange.codeVerifier)
        guard isClients, configuration.providers?.provider(known.identity.provider) === known.provider else {
            try await operations.noteSignInCode(
                .refused(isClients ? "provider_changed" : "wrong_verifier"), of: known.identity, from: client())
            throw refused
        }
        try await operations.noteSignInCode(.redeemed, of: known.identity, from: client())
        let signedIn: SignedIn
        do throws(AccountsError) {
            signedIn = try await operations.signIn(
                by: known.identity, configuration.terms(of: known.identity.provider), code: exchange.twoFactorCode,
                passkey: passkey, as: .api, from: client(deviceName: exchange.deviceName))
        } catch {
            // As with a password: the second factor may come in another request, of the same client.
            if error.code == .twoFactorRequired || error.code == .invalidCredentials {
                portal.federated.codes.insert(known, id: exchange.code, from: place, until: known.endsAt)
            }
            throw error
        }
        return try tokens(of: signedIn)
    }

    func apiSocialAccounts() throws -> Answer {
        let all = try operations.socialAccounts(of: try principal())
        let part = try listPart()
        let page = try ListPage(of: all, limit: part.limit, before: part.before, id: \.id, time: \.linkedAt)
        return try json(page.items.map(Wire.Link.init), part, next: page.next)
    }

    func apiUnlink() async throws -> Answer {
        try await operations.unlink(parameters["id"] ?? "", of: try writer(), from: client())
        return Self.noContent
    }
}
