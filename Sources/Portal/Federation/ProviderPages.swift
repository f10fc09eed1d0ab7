internal import Accounts
internal import Core
internal import Federation
internal import Logging

extension Endpoint {
    static let providers: [Endpoint] = [
        page("GET", "/oauth/{provider}") { try await $0.beginAtProvider() },
        page("GET", "/oauth/{provider}/callback") { try await $0.cameBack() },
        page("POST", "/oauth/{provider}/callback") { try $0.cameBackByForm() },
        page("POST", "/oauth/{provider}/continue") { try await $0.continueToClient() },
        Endpoint(method: "POST", path: "/.auth/oauth/{provider}/logout", face: .api) { try await $0.providerLogout() },
        page("GET", "/account/providers") { try $0.showProviders() },
        page("POST", "/account/providers") { try await $0.unlinkProvider() },
    ]
}

/// Signing in at a provider with a browser: there, and back to exactly the page that was asked for.
///
/// ```
///   login page ─► oauth/ID ─303─► provider … provider ─303─► oauth/ID/callback ─303─► the page
///                 state, nonce, verifier kept here             taken, once
/// ```
/// A flow is kept here under its `state` and tied to the browser by a cookie: what comes back to another browser, a
/// second time, or too late, is nobody's.
extension PortalRequest {
    // MARK: There

    func beginAtProvider() async throws -> Answer {
        let query = query()
        if query["response"] != nil { return try await beginForTokens() }
        if let token = query["link"] { return try await beginLinking(token) }
        let browser = try ownBrowser()
        var returnTo = query["return_to"].flatMap(configuration.returns.address)
        var isStepUp = false
        if let id = query["flow"], let pending = portal.pending.find(id, browser: browser.digest, at: now) {
            returnTo = pending.returnTo
            isStepUp = pending.isStepUp
        }
        if isStepUp, let principal = signedIn() {
            return try await begin(.prove(session: principal.session, returnTo), browser, anew: true)
        }
        return try await begin(.signIn(returnTo), browser)
    }

    private func beginLinking(_ token: String) async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst(for: Tab.providers.path) }
        guard portal.forms.isGood(token, for: linkingPlace(principal)) else { throw PortalFailure.formExpired }
        if let missing = try operations.missingProof(of: principal) { return proveFirst(missing) }
        return try await begin(.link(session: principal.session), try ownBrowser())
    }

    /// An API client's: it opens this in a browser, and comes for its tokens with what this ends in.
    func beginForTokens() async throws -> Answer {
        let query = query()
        guard query["response"] == "token", (query["code_challenge_method"] ?? "S256") == "S256",
            let challenge = query["code_challenge"], CodeChallenge.isWellFormed(challenge)
        else {
            throw PortalFailure(
                status: 400, code: "invalid_request",
                detail: "This wants response=token and a code_challenge of S256: 43 characters of base64url.")
        }
        return try await begin(.tokens(challenge: challenge), try ownBrowser())
    }

    private func begin(
        _ purpose: FlowPurpose, _ browser: (digest: [UInt8], cookies: [String]), anew: Bool = false
    ) async throws -> Answer {
        let provider = try provider()
        try operations.admitFederatedFlow(from: client())
        let flow: AuthorizationFlow
        do throws(FlowFailure) {
            flow = try await provider.begin(
                AuthorizationFlow.Secrets(state: try secretText(), nonce: try secretText(), verifier: try secretText()),
                redirectURI: configuration.redirectURI(provider.configuration.id), anew: anew)
        } catch {
            // Whoever asks again and again for a provider that is down must not fill the audit log.
            try operations.admitFederatedAnswer(from: client())
            return try await failed(error, at: provider.configuration.id, purpose)
        }
        portal.federated.flows.insert(
            FederatedFlow(flow: flow, provider: provider, purpose: purpose, browser: browser.digest), id: flow.state,
            from: place, owner: browser.digest, until: now + FederatedFlow.lifetime)
        var answer = Answer.seeOther(flow.url).setting(browser.cookies)
        answer.headers.append(("Referrer-Policy", "no-referrer"))
        return answer
    }

    private func secretText() throws(FlowFailure) -> String {
        do throws(PortalFailure) { return try secret() } catch { throw FlowFailure.noRandomness }
    }

    func provider() throws(PortalFailure) -> Provider {
        guard let id = parameters["provider"], let provider = configuration.providers?.provider(id) else {
            throw PortalFailure.notFound
        }
        return provider
    }

    // MARK: Back

    /// A form that the provider's page has sent comes without our cookies; as a redirect the browser brings them. Only
    /// what any provider's answer has in its address goes into that of the redirect: who the person is stays out of it.
    func cameBackByForm() throws -> Answer {
        let provider = try provider()
        let form = try form()
        // Of what comes beside the answer only Apple's `user` is of use: a name, which may as well be missing. The
        // first one stays: whoever sends the form once more changes nothing.
        if provider.configuration.kind == .apple, let state = form["state"], let name = AppleUser.name(form["user"]) {
            portal.federated.flows.change(state) { flow in
                if flow.provider === provider, flow.name == nil { flow.name = name }
            }
        }
        let fields = ["state", "code", "iss", "error"].compactMap { name in form[name].map { (name, $0) } }
        var answer = Answer.seeOther(
            "/.auth/oauth/\(provider.configuration.id)/callback?\(FormFields.text(of: fields))")
        answer.headers.append(("Referrer-Policy", "no-referrer"))
        return answer
    }

    func cameBack() async throws -> Answer {
        try operations.admitFederatedAnswer(from: client())
        let query = query()
        let taken = query["state"].flatMap { portal.federated.flows.take($0, at: now) }
        guard let provider = parameters["provider"].flatMap({ configuration.providers?.provider($0) }) else {
            guard let taken else { throw PortalFailure.notFound }
            // A reload has taken it away while the person was there.
            try await operations.noteFederatedFailure("provider_removed", provider: taken.flow.provider, from: client())
            return providerFailure("provider_expired", status: 403, nil)
        }
        let id = provider.configuration.id
        guard let began = taken, try isThisBrowser(began.browser), began.provider === provider else {
            try await operations.noteFederatedFailure("unknown_state", provider: id, from: client())
            return providerFailure("provider_expired", status: 403, nil)
        }
        let answer = AuthorizationAnswer(
            code: query["code"], issuer: query["iss"], error: query["error"], name: began.name)
        let broughtAt = now
        let person: ProvedPerson
        do throws(FlowFailure) {
            person = try await provider.complete(began.flow, answer)
        } catch {
            return try await failed(error, at: id, began.purpose)
        }
        return try await arrived(FederatedIdentity(person, broughtAt: broughtAt), provider, began.purpose)
    }

    private func arrived(
        _ identity: FederatedIdentity, _ provider: Provider, _ purpose: FlowPurpose
    ) async throws -> Answer {
        let terms = configuration.terms(of: provider.configuration.id)
        do {
            switch purpose {
            case .signIn(let returnTo):
                let signedIn = try await operations.signIn(
                    by: identity, terms, as: .page(remember: false), from: client())
                return try await enter(signedIn, returningTo: returnTo)
            case .link(let session):
                guard let principal = signedIn(), principal.session == session else {
                    return signInFirst(for: Tab.providers.path)
                }
                try await operations.link(identity, terms, to: principal, from: client())
                return .seeOther("\(Tab.providers.path)?done=provider_linked")
            case .prove(let session, let returnTo):
                guard let principal = signedIn(), principal.session == session else {
                    return signInFirst(for: returnTo?.url ?? Tab.account.path)
                }
                let secrets = try await operations.reauthenticate(principal, by: identity, from: client())
                return Answer.seeOther(returnTo?.url ?? Tab.account.path).setting(secrets.map(cookies.session) ?? [])
            case .tokens(let challenge): return try await handOut(identity, provider, challenge)
            }
        } catch let error as AccountsError {
            if case .signIn(let returnTo) = purpose, let partial = error.partial {
                return try askSecondFactor(partial, returnTo: returnTo)
            }
            return refused(error, purpose)
        }
    }

    // MARK: What went wrong

    private func failed(_ failure: FlowFailure, at provider: String, _ purpose: FlowPurpose) async throws -> Answer {
        portal.log.warning(
            "a sign-in at a provider failed",
            metadata: [
                "provider": "\(provider)", "error": "\(failure)", "request_id": "\(local.requestID)",
            ])
        try await operations.noteFederatedFailure(failure.code.rawValue, provider: provider, from: client())
        if let person = failure.person {
            try await operations.endRefused(
                at: provider, issuer: person.issuer, subject: person.subject, from: client())
        }
        switch failure.code {
        case .denied: return providerFailure("provider_denied", status: 403, purpose)
        case .notAccepted: return providerFailure("provider_not_accepted", status: 403, purpose)
        case .unavailable, .badMetadata: return providerFailure("provider_unavailable", status: 503, purpose)
        case .tooOld: return providerFailure("provider_too_old", status: 403, purpose)
        case .answeredWithError, .malformedAnswer, .wrongIssuer, .codeRefused, .malformedTokens, .badToken,
            .tokenExpired, .wrongNonce, .wrongAudience, .wrongTokenHash, .badUserInfo, .otherSubject:
            return providerFailure("provider_failed", status: 403, purpose)
        }
    }

    private func refused(_ error: AccountsError, _ purpose: FlowPurpose) -> Answer {
        let failure = PortalFailure(error)
        let key: String
        switch error.code {
        case .userDisabled: key = "user_disabled"
        case .emailNotVerified: key = "provider_unverified"
        case .exists:
            if case .link = purpose { key = "provider_linked_elsewhere" } else { key = "provider_prove_first" }
        case .reauthenticationRequired, .twoFactorRequired: return proveFirst(error)
        case .refused: key = "provider_no_account"
        default: key = failure.status >= 500 ? "try_later" : "provider_failed"
        }
        var answer = providerFailure(key, status: failure.status, purpose)
        answer.headers += failure.headers
        return answer
    }

    /// What happened and what to do, with the way back.
    func providerFailure(_ key: String, status: Int, _ purpose: FlowPurpose?) -> Answer {
        if !wantsPage, case .tokens? = purpose {
            return problem(PortalFailure(status: status, code: key, detail: Catalogue.providersEnglish[key] ?? ""))
        }
        var values: [String: Any] = ["text": text(key), "request": local.requestID, "again": "/.auth/login"]
        switch purpose {
        case .signIn(let returnTo?)?, .prove(_, let returnTo?)?:
            values["again"] = "/.auth/login?return_to=\(FormFields.escape(returnTo.url))"
        case .link?: values["again"] = Tab.providers.path
        case .signIn(nil)?, .prove(_, nil)?, .tokens?, nil: break
        }
        return page("provider_failure", title: "provider_failure_title", status: status, values)
    }

    /// Somebody looks at it.
    var wantsPage: Bool {
        if let mode = local.header("sec-fetch-mode") { return mode == "navigate" }
        return local.values(of: "accept").contains { $0.contains("text/html") }
    }

    // MARK: The browser

    /// The request brings the cookie that something began with.
    func isThisBrowser(_ digest: [UInt8]) throws -> Bool {
        guard let browser = local.browserToken else { return false }
        return constantTimeEqual(digest, try portal.forms.digest(ofBrowser: browser))
    }

    /// The cookie that ties what begins here to this browser.
    private func ownBrowser() throws -> (digest: [UInt8], cookies: [String]) {
        if let known = local.browserToken, Base64URL.decode(known)?.count == 32 {
            return (try portal.forms.digest(ofBrowser: known), [])
        }
        let made = try secret()
        return (try portal.forms.digest(ofBrowser: made), [cookies.browser(made)])
    }

    /// To the form that wants the password, a provider or the second factor once more.
    private func proveFirst(_ missing: AccountsError) -> Answer {
        .seeOther(Self.proof(for: missing, returnTo: Tab.providers.path) ?? Tab.providers.path)
    }

    private func signInFirst(for address: String) -> Answer {
        .seeOther("/.auth/login?return_to=\(FormFields.escape(address))")
    }

    /// What the token of a link to begin linking is bound to: the session, and nothing that a form does.
    func linkingPlace(_ principal: Principal) -> String { "\(principal.session) to link a provider" }
}
