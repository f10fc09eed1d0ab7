internal import Core
internal import JOSE
internal import Logging

/// One provider with what is known of it: its metadata and its keys, each fetched when it is first needed and kept
/// while it is fresh. Nothing is fetched from an address that a client or a token chose.
public final class Provider: Sendable {
    /// For each request to the provider; a flow makes at most a handful, one after the other.
    static let timeout: Duration = .seconds(8)

    public let configuration: ProviderConfiguration
    let fetcher: any HTTPFetching
    /// For the token endpoint when tokens are renewed, which nobody who signs in waits for.
    let renewing: any HTTPFetching
    let clock: any WallClock
    let source: MetadataSource
    let keys: IssuerKeys

    init(
        _ configuration: ProviderConfiguration, fetcher: any HTTPFetching, renewing: (any HTTPFetching)? = nil,
        clock: any WallClock, log: Logger
    ) {
        self.configuration = configuration
        self.fetcher = fetcher
        self.renewing = renewing ?? fetcher
        self.clock = clock
        source = MetadataSource(configuration, fetcher: fetcher, clock: clock)
        keys = IssuerKeys(
            IssuerConfiguration(
                id: configuration.id, issuer: configuration.issuer, audiences: [configuration.clientID],
                keys: .discovery, algorithms: IDTokenCheck.algorithms, userPrefix: "", groupsPrefix: ""),
            fetcher: fetcher, clock: clock, log: log)
    }

    /// Begins a sign-in.
    ///
    /// - Parameters:
    ///   - redirectURI: where the provider sends the browser back to; this provider's alone.
    ///   - anew: the person must prove themselves once more, even if the provider knows them already.
    public func begin(
        _ secrets: AuthorizationFlow.Secrets, redirectURI: String, anew: Bool = false
    ) async throws(FlowFailure) -> AuthorizationFlow {
        if anew { try requireProofs() }
        return AuthorizationFlow(
            configuration, try await source.metadata(), secrets, redirectURI: redirectURI,
            provenAfter: anew ? clock.now().seconds : nil)
    }

    /// Only OpenID Connect has a way to ask somebody anew and to say that it was done; others let a person through who
    /// is signed in there.
    private func requireProofs() throws(FlowFailure) {
        guard configuration.kind.speaksOpenIDConnect else {
            throw FlowFailure(.tooOld, "this kind of provider cannot ask a person anew")
        }
    }

    /// Ends a sign-in: exchanges the code, and finds out who came.
    ///
    /// - Parameter flow: of this provider; the caller sees to it that it is used this once.
    public func complete(
        _ flow: AuthorizationFlow, _ answer: AuthorizationAnswer
    ) async throws(FlowFailure) -> ProvedPerson {
        guard flow.provider == configuration.id else {
            throw FlowFailure(.malformedAnswer, "the answer came to another provider's address")
        }
        if flow.provenAfter != nil { try requireProofs() }
        let code = try answer.judged(for: flow.metadata)
        let exchange = TokenExchange(configuration: try configurationWithSecret())
        let asked = clock.now()
        let tokens = try exchange.tokens(try await fetch(try exchange.request(code: code, of: flow)))
        var person: ProvedPerson
        switch configuration.kind {
        case .github: person = try await GitHubPerson(provider: self, accessToken: tokens.access).read()
        case .oauth2: person = try await MappedPerson(provider: self, accessToken: tokens.access).read()
        case .apple:
            person = try await openIDPerson(flow, tokens)
            if person.name.isEmpty { person.name = PersonDocument.usableName(answer.name) ?? "" }
        case .google, .gitlab, .microsoft, .oidc: person = try await openIDPerson(flow, tokens)
        }
        if configuration.keepsTokens { person.tokens = tokens.granted(at: asked, to: configuration.client) }
        return person
    }

    /// The provider's page where one signs out of it (OpenID Connect RP-Initiated Logout); nil where it has none.
    public func endSessionURL(returningTo address: String) async -> String? {
        guard let end = try? await source.metadata().endSessionEndpoint else { return nil }
        return end + (end.contains("?") ? "&" : "?")
            + FormText.encode([
                ("client_id", configuration.clientID), ("post_logout_redirect_uri", address),
            ])
    }

    // MARK: OpenID Connect

    private func openIDPerson(
        _ flow: AuthorizationFlow, _ tokens: ProviderTokens
    ) async throws(FlowFailure) -> ProvedPerson {
        guard let text = tokens.id else { throw FlowFailure(.badToken, "the token endpoint gave no ID token") }
        let claims = try await verified(text, flow, tokens)
        guard let subject = claims.subject, (1...255).contains(subject.utf8.count), ClaimReader.isPlain(subject) else {
            throw FlowFailure(.badToken, "the ID token has no usable sub")
        }
        let token = PersonDocument(claims)
        var documents = [token]
        if lacks(token), let endpoint = flow.metadata.userInfoEndpoint {
            documents.append(try await userInfo(endpoint, tokens.access, subject: subject))
        }
        // The first that speaks of an address decides, whatever it says of it.
        let email = documents.first { $0["email"] != nil }?.email(configuration.kind)
        let claimed = configuration.groupsClaim.flatMap { name in
            documents.lazy.compactMap { $0.texts(name) }.first
        }
        try AcceptanceCheck(
            acceptance: configuration.acceptance,
            person: FlowFailure.RefusedPerson(issuer: configuration.issuer, subject: subject)
        ).check(
            email: email?.address, emailIsVerified: email?.isVerified ?? false,
            hostedDomain: configuration.kind == .google ? claims.string("hd") : nil, groups: claimed ?? [],
            organizations: [])
        return ProvedPerson(
            provider: configuration.id, issuer: configuration.issuer, subject: subject, email: email?.address,
            emailIsVerified: email?.isVerified ?? false, name: documents.lazy.compactMap(\.name).first ?? "",
            groups: groups(claimed ?? []), sessionID: claims.string("sid"), authenticatedAt: claims.time("auth_time"))
    }

    /// Something that is wanted is not in the ID token.
    private func lacks(_ token: PersonDocument) -> Bool {
        token["email"] == nil || token.name == nil
            || configuration.groupsClaim.map { token[$0] == nil } ?? false
    }

    private func verified(
        _ text: String, _ flow: AuthorizationFlow, _ tokens: ProviderTokens
    ) async throws(FlowFailure) -> Claims {
        let check = IDTokenCheck(configuration: configuration, flow: flow)
        let token = try check.parse(text)
        guard IDTokenCheck.algorithms.contains(token.algorithm) else {
            throw FlowFailure(.badToken, "the ID token is signed by an algorithm that is not taken")
        }
        // It came from the token endpoint itself.
        return try await verified(token, isVouchedFor: true) { proof throws(FlowFailure) in
            try check.claims(of: proof, accessToken: tokens.access, at: self.clock.now())
        }
    }

    /// Verifies a signature, with the keys fetched again once when it is by one that is not known.
    ///
    /// - Parameter isVouchedFor: no stranger has sent it, so that it may have the keys fetched soon again.
    func verified(
        _ token: UnverifiedToken, isVouchedFor: Bool, _ claims: (VerifiedToken) throws(FlowFailure) -> Claims
    ) async throws(FlowFailure) -> Claims {
        await keys.refreshIfDue()
        for isLast in [false, true] {
            guard let set = keys.current.keys else {
                guard !isLast, await refetched(isVouchedFor) else {
                    throw FlowFailure(.unavailable, "the provider's keys could not be fetched")
                }
                continue
            }
            let proof: VerifiedToken
            do throws(JOSEError) {
                proof = try token.verify(with: set, allowed: IDTokenCheck.algorithms)
            } catch {
                if error.code == .noKey, !isLast, await refetched(isVouchedFor) { continue }
                throw FlowFailure(.badToken, "the signature: \(error)", lacksKey: error.code == .noKey)
            }
            return try claims(proof)
        }
        throw FlowFailure(.badToken, "no key of the provider's has signed it")
    }

    /// Waits for the keys to be fetched once more; false when it is too early for that.
    func refetched(_ isVouchedFor: Bool) async -> Bool {
        guard let pending = keys.refetchForUnknownKey(at: clock.now(), isVouchedFor: isVouchedFor) else { return false }
        await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
        return true
    }

    private func userInfo(
        _ endpoint: String, _ accessToken: String, subject: String
    ) async throws(FlowFailure) -> PersonDocument {
        let document = try await document(endpoint, accessToken)
        guard document.isObject, let other = document["sub"] else {
            throw FlowFailure(.badUserInfo, "the user info has no sub")
        }
        // Else one person's token could be paired with another's e-mail (OpenID Connect Core 5.3.2).
        guard other.equals(subject) else { throw FlowFailure(.otherSubject, "the user info is somebody else's") }
        return PersonDocument(document)
    }

    // MARK: Requests

    /// The provider's groups as ours.
    func groups(_ claimed: [String]) -> [String] {
        let usable = Set(ClaimReader.groups(claimed, prefix: configuration.groupsPrefix))
        return Array(usable.sorted().prefix(ProvedPerson.maximumGroups))
    }

    /// A JSON document that an access token opens.
    func document(_ url: String, _ accessToken: String) async throws(FlowFailure) -> JSONValue {
        let response = try await fetch(
            FetchRequest(
                url: url, headers: [("Accept", "application/json"), ("Authorization", "Bearer \(accessToken)")],
                timeout: Self.timeout, maximumBodyBytes: TokenExchange.maximumBytes))
        guard response.status == 200 else {
            throw FlowFailure(.badUserInfo, "the provider answered \(response.status) to what should say who came")
        }
        do throws(JOSEError) {
            return try JSONReader.parse(response.body, limits: JSONLimits(bytes: TokenExchange.maximumBytes))
        } catch {
            throw FlowFailure(.badUserInfo, "what should say who came is not JSON: \(error)")
        }
    }

    func fetch(_ request: FetchRequest) async throws(FlowFailure) -> FetchResponse {
        do {
            return try await fetcher.fetch(request)
        } catch {
            throw FlowFailure(.unavailable, "\(error)")
        }
    }
}
