internal import Accounts
internal import Core
internal import Federation
internal import Policy
internal import Settings

extension Settings {
    /// What the providers are configured with.
    func providerConfigurations() -> [ProviderConfiguration] {
        let forwarded = forwardedTokens
        return login.providers.map { provider in
            var acceptance = ProviderConfiguration.Acceptance()
            acceptance.emails = provider.acceptance.emails?.compactMap { EmailAddress($0) }
            acceptance.domains = provider.acceptance.domains
            acceptance.hostedDomains = provider.acceptance.hostedDomains
            acceptance.groups = provider.acceptance.groups
            acceptance.organizations = provider.acceptance.organizations
            var configuration = ProviderConfiguration(
                id: provider.id, kind: ProviderConfiguration.Kind(provider.kind), name: provider.name,
                issuer: provider.issuer, clientID: provider.clientID, clientSecret: provider.clientSecret,
                scopes: provider.scopes, acceptance: acceptance, groupsClaim: provider.groupsClaim,
                groupsPrefix: provider.groupsPrefix)
            configuration.signingKey = provider.signingKey.map {
                ProviderConfiguration.SigningKey(teamID: $0.teamID, keyID: $0.keyID, pem: $0.pem)
            }
            configuration.oauth2 = provider.oauth2.map(ProviderConfiguration.OAuth2.init)
            configuration.keepsTokens = forwarded.contains(provider.tokenProvider)
            return configuration
        }
    }

    /// What each provider lets its people do. Where tokens of an issuer are matched with accounts an account may be in use
    /// without ever having been signed in to.
    func federationTerms() -> [String: FederationTerms] {
        let takesUnused = !issuers.contains { $0.matching != .none }
        return Dictionary(
            login.providers.map { ($0.id, $0.terms(takesUnused: takesUnused)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// `groups.add` by issuer, for ``Accounts/Store/adopt(providers:)``.
    var providersToAdopt: [String: [String]] {
        Dictionary(login.providers.map { ($0.issuer, $0.addedGroups) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whose access tokens the app of a route gets: of the providers that it names, or of all.
    func tokenProviders(of route: Route) -> [TokenProvider] {
        guard route.policy.forwardsAccessToken else { return [] }
        // Apple's opens nothing.
        return login.providers.filter { $0.kind != .apple }
            .filter { route.providers.isEmpty || route.providers.contains($0.id) }
            .map(\.tokenProvider)
    }

    /// Whose access tokens any app gets.
    var forwardedTokens: Set<TokenProvider> { Set(routes.flatMap(tokenProviders)) }

    /// Which route offers which providers alone.
    func offers(in snapshot: Snapshot) -> @Sendable (_ host: String, _ path: String) -> [String] {
        let offered = routes.map(\.providers)
        guard offered.contains(where: { !$0.isEmpty }) else { return { _, _ in [] } }
        return { host, path in
            let (method, host, path) = (Array("GET".utf8), Array(host.utf8), Array(path.utf8))
            let facts = Facts(
                method: method.span, host: host.span, path: path.span, clientAddress: nil, isPreflight: false,
                now: Timestamp(seconds: 0))
            guard let route = snapshot.route(for: facts), offered.indices.contains(route.index) else { return [] }
            return offered[route.index]
        }
    }
}

extension Settings.Provider {
    var tokenProvider: TokenProvider {
        TokenProvider(
            id: id, issuer: issuer,
            client: ProviderConfiguration.client(
                kind: ProviderConfiguration.Kind(kind), clientID: clientID, tokenEndpoint: oauth2?.tokenEndpoint))
    }

    /// What the accounts let it do.
    ///
    /// - Parameter takesUnused: accounts that nobody has signed in to are free for whoever proves the address.
    func terms(takesUnused: Bool) -> FederationTerms {
        FederationTerms(
            createsUsers: createsUsers, claimedDomains: claimedDomains, addedGroups: addedGroups,
            linksUnused: takesUnused && ownsAddresses)
    }
}

extension ProviderConfiguration.Kind {
    init(_ kind: Settings.Provider.Kind) {
        switch kind {
        case .google: self = .google
        case .github: self = .github
        case .gitlab: self = .gitlab
        case .microsoft: self = .microsoft
        case .apple: self = .apple
        case .oidc: self = .oidc
        case .oauth2: self = .oauth2
        }
    }
}

extension ProviderConfiguration.OAuth2 {
    init(_ written: Settings.Provider.OAuth2) {
        let authentication: Authentication =
            switch written.authentication {
            case .basic: .basic
            case .post: .post
            }
        self.init(
            authorizationEndpoint: written.authorizationEndpoint, tokenEndpoint: written.tokenEndpoint,
            userInfoEndpoint: written.userInfoEndpoint, authentication: authentication, subject: written.subject,
            email: written.email, emailVerified: written.emailVerified, name: written.name, groups: written.groups,
            emailTrusted: written.emailTrusted)
    }
}
