internal import Accounts
internal import Core
internal import Cryptography
internal import Federation
internal import Logging
internal import Policy
internal import Portal
internal import Settings

extension Settings {
    /// What the portal is configured with.
    func portalConfiguration(
        store: Store, hasher: PasswordHasher, limiter: RateLimiter, breaches: BreachCheck?, providers: Providers
    ) throws -> Portal.Configuration {
        let snapshot = try snapshot()
        let apps = snapshot.routes.flatMap { route in
            (route.hosts ?? []).map { host in
                ReturnPolicy.App(host: host, scheme: route.scheme.rawValue)
            }
        }
        var configuration = Portal.Configuration(
            publicURL: publicURL.description, host: publicURL.host,
            returns: ReturnPolicy(publicURL: publicURL.description, apps: apps),
            operations: AccountOperations(
                store: store, hasher: hasher, limiter: limiter, breaches: breaches,
                configuration: operationsConfiguration),
            look: try branding.look())
        configuration.cookies = .init(name: sessions.cookieName, domain: sessions.cookieDomain)
        configuration.passwordIsEnabled = login.passwordIsEnabled
        configuration.registration = registration
        configuration.magicLinkIsEnabled = login.magicLinkIsEnabled
        configuration.sendsMail = mail.isOn
        configuration.groupsShown = { identity, host in snapshot.groups(of: identity, shownOn: host) }
        configuration.hasRoute = { snapshot.hasRoute(on: $0) }
        configuration.providers = providers
        configuration.federationTerms = federationTerms()
        configuration.offers = offers(in: snapshot)
        configuration.keyScopes = apiKeys.scopes.map { ($0.name, $0.summary) }
        return configuration
    }

    private var registration: AccountOperations.Configuration.Registration {
        switch login.registration {
        case .closed: .closed
        case .invited: .invited
        case .open: .open
        }
    }

    /// `login.password.breach_check`.
    func breachCheck(through fetcher: any HTTPFetching, _ log: Logger) -> BreachCheck? {
        login.breachCheck.map { BreachCheck($0, fetcher: fetcher, log: log) }
    }

    /// `limits`.
    var limitPolicy: LimitPolicy {
        LimitPolicy(
            signIn: RateLimit(count: limits.signIn.count, per: limits.signIn.per, burst: limits.signIn.burst),
            mail: RateLimit(count: limits.mail.count, per: limits.mail.per, burst: limits.mail.burst),
            exemptNetworks: limits.exemptNetworks)
    }

    /// What a new password must be, whoever chooses it.
    var passwordPolicy: PasswordPolicy { PasswordPolicy(minimumLength: login.minimumPasswordLength) }

    /// Names of this site, which make no good password.
    var siteWords: [String] { [publicURL.host] + (branding.isNamed ? [branding.name] : []) }

    private var operationsConfiguration: AccountOperations.Configuration {
        var configuration = AccountOperations.Configuration()
        configuration.sessions = SessionPolicy(
            idle: sessions.idle, lifetime: sessions.lifetime, remember: sessions.remember)
        configuration.tokens = TokenPolicy(
            accessLifetime: tokens.accessLifetime, refreshLifetime: tokens.refreshLifetime)
        configuration.lockout = LockoutPolicy(failures: login.lockoutFailures, period: login.lockoutPeriod)
        configuration.limits = limitPolicy
        configuration.registration = registration
        configuration.magicLinkIsEnabled = login.magicLinkIsEnabled
        configuration.magicLinkLifetime = login.magicLinkLifetime
        configuration.passkeys = PasskeyPolicy(
            isEnabled: login.passkeys.isEnabled, relyingParty: login.passkeys.relyingParty,
            origins: [publicURL.description] + login.passkeys.origins,
            userVerification: .init(rawValue: login.passkeys.userVerification.rawValue) ?? .required)
        configuration.secondFactorIsRequired = login.secondFactorIsRequired
        configuration.trustsDevicesFor = login.trustsDevicesFor
        configuration.passwordIsEnabled = login.passwordIsEnabled
        configuration.passwords = passwordPolicy
        configuration.keys = KeyPolicy(
            defaultLifetime: apiKeys.defaultLifetime, maximumLifetime: apiKeys.maximumLifetime,
            requireRoutes: apiKeys.requiresRoutes)
        configuration.keyScopes = apiKeys.scopes.map(\.name)
        configuration.routeNames = Set(routes.map(\.policy.name))
        configuration.siteName = branding.name
        configuration.siteWords = siteWords
        configuration.providerIssuers = Set(login.providers.map(\.issuer))
        return configuration
    }
}

extension PortalResponder {
    /// What it takes from the process; the key of forms lives as long as this does.
    static func services(
        clock: any WallClock, decisions: DecisionLog, refusals: WorkerPool
    ) throws -> Portal.Services {
        let key = try SymmetricKey(try SecureRandom.secret(32))
        return Portal.Services(
            clock: clock, random: { try SecureRandom.bytes($0) },
            authenticate: { try key.sign($0.span, hash: .sha256) },
            refusal: { id, subject in
                // A page that does not know the reason is still a page.
                let found = try? await refusals.run { try decisions.refusal(of: id, subject: subject) }
                return found ?? nil
            })
    }
}
