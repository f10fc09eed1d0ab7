internal import Accounts
internal import Core
internal import Cryptography
internal import Federation
internal import Logging
internal import Outbound
internal import Portal
internal import Proxy
internal import Settings

/// What the loops and the monitor are given.
struct Parts: Sendable {
    let store: Store
    /// For those who sign in at a provider: one that hangs has half of the threads, the others the other half. Of each, as
    /// many may wait as may be under way in the portal.
    let fetcher: Fetcher
    /// For the keys of `jwt.issuers` alone: no provider that hangs, and no other issuer, keeps an issuer's new key out.
    let keyFetcher: Fetcher
    let decisions: DecisionLog
    let pool: WorkerPool
    let clock: SystemClock
    let log: Logger
    let writer: LogWriter
    let inForce: InForceBox
    let mail: MailWorker
    let webhooks: WebhookWorker
    /// For the breach check alone, so that one that hangs keeps no issuer's keys from being fetched. Few may wait: what
    /// finds no place is taken unchecked at once.
    let breachFetcher: Fetcher
    let hasher: PasswordHasher
    let limiter: RateLimiter
    let portal: PortalResponder
    /// For the renewal of tokens alone, so that a provider that hangs keeps nobody from signing in. Its threads are more
    /// than one provider may have at work.
    let tokenFetcher: Fetcher
    let tokens: ProviderTokenRefresher

    func services(_ issuers: Issuers) throws -> ProxyServer.Services {
        let sessions = LiveSessionCount(store)
        let seed = try SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        return ProxyServer.Services(
            clock: clock, logger: log, responders: [Documents(store: store, pool: pool, log: log), portal],
            readiness: readiness,
            metrics: {
                let current = inForce.value
                return StoreMetrics.render(
                    store, decisions, limiter, sessions, current.lastReload, mailsInHand: mail.inHand,
                    providers: current.settings.login.providers.map(\.id)) + writer.metrics
            }, seed: seed,
            makeContext: makeContext(issuers, inForce.value.settings))
    }

    /// Makes what each loop has of its own, for one configuration.
    func makeContext(
        _ issuers: Issuers, _ settings: Settings
    ) -> @Sendable (_ loop: Int) throws -> LoopContext {
        let access = settings.audit.access.granularity
        let forwardsTokens = !settings.forwardedTokens.isEmpty
        let limits = settings.limitPolicy
        let entries = ProcessEnvironment.value(of: "GATEHOUSE_IDENTITY_CACHE").flatMap(Int.init) ?? 16_384
        return { loop in
            let standing = try LocalStanding(store: store, cacheEntries: entries)
            return LoopContext(
                credentials: CredentialReaderChain([
                    try AccountReader(store: store, cacheEntries: entries),
                    ForeignTokenReader(issuers: issuers, standing: standing, cacheEntries: entries),
                    CertificateReader(standing: standing, log: log),
                ]),
                decisions: decisions.makeSink(loop: loop, access: access),
                assertions: try StoredAssertionSigner(store: store),
                providerTokens: forwardsTokens
                    ? try StoredProviderTokens(store: store, refresher: tokens, log: log) : nil,
                rememberedIdentities: entries,
                waitAfterRefusedKey: { limiter.wait(afterRefusedKeyFrom: $0, limits, at: $1) })
        }
    }

    private func readiness() async -> Readiness {
        var reasons = inForce.value.issuers.withoutKeys.map { "the keys of issuer \($0) were never fetched" }
        do {
            try await pool.run { try store.probe() }
        } catch {
            reasons.append("\(error)")
        }
        return reasons.isEmpty ? .ready : .notReady(reasons: reasons)
    }
}

extension Settings.Audit.Access {
    var granularity: AccessGranularity {
        switch self {
        case .none: .none
        case .daily: .daily
        case .hourly: .hourly
        }
    }
}
