internal import Accounts
internal import Core
internal import Cryptography
internal import Federation
internal import Glibc
internal import Logging
internal import NIOCore
internal import Outbound
internal import Portal
internal import Proxy
internal import Settings
internal import Synchronization

/// The whole server, put together: store, issuers, front, upkeep. Started once, reloaded any number of times, stopped
/// once.
final class Server: Sendable {
    /// What a reload replaces, all of it together.
    struct InForce: Sendable {
        /// As it was read last and taken.
        var loaded: Settings.Loaded
        /// What is in force: `loaded`, but for keys that need a restart.
        var settings: Settings
        /// The files that were read, as they were.
        var stamps: [String: FileStamp]
        var issuers: Issuers
        var providers: Providers
        var generation: UInt64
        var lastReload: LastReload
    }

    /// Where it listens, in the order of the configuration.
    var addresses: [String] { proxy.listening.map(\.description) }
    /// The port of the first TCP listener.
    var port: Int? { proxy.listening.lazy.compactMap(\.port).first }
    /// How long a stop waits.
    var drain: Duration { inForce.settings.drain }

    let store: Store
    let launch: Launch
    let proxy: ProxyServer
    let parts: Parts
    private let refusals: WorkerPool
    private let cleaning: WorkerPool
    private let upkeep: Task<Void, Never>
    private let watcher = Mutex<Task<Void, Never>?>(nil)
    private let control: ServerControl
    var log: Logger { launch.log }
    var pool: WorkerPool { parts.pool }

    /// Starts everything; when this returns, requests are answered.
    ///
    /// - Throws: what keeps it from starting; nothing is left running then.
    static func start(_ launch: Launch) async throws -> Server {
        let clock = SystemClock()
        let store = try Store.open(try launch.context.storeConfiguration(readingMasterKey: true), clock: clock)
        // Before the first secret is sealed: another master key may come from now on.
        let control = ServerControl(store, folder: launch.context.settings.dataFolder, log: launch.log)
        // Beside another one, as in a restart that lets the old one finish, the mark is no sign that a server died.
        let isBesideAnother = ControlSocket.isAnswered(in: launch.context.settings.dataFolder)
        do {
            control.listen(unlessAnswered: true)
            for what in try store.checkMasterKeys() {
                launch.log.warning("something that is sealed cannot be opened", metadata: ["what": "\(what)"])
            }
        } catch {
            control.close()
            store.close()
            throw error
        }
        do {
            let lastEvent = try store.lastAuditTime()
            if try store.serverStarted(besideAnother: isBesideAnother, by: .system) {
                launch.log.warning("the last stop was not a clean one; the audit log says so")
            }
            if isBesideAnother {
                launch.log.warning("another server runs on the same data_dir; `gatehouse reload` reaches this one")
            }
            Upkeep.tellAlarms(of: store, launch.log)
            // Keys that are old by a clock which may be wrong stay for now; without any nobody could sign.
            let steady = SteadyClock(at: clock.now(), .now, lastEvent: lastEvent)
            if try steady.isTrusted(at: .now) || store.signingKeys().isEmpty { _ = try store.maintainSigningKeys() }
            let server = try await Server(store, launch, clock, control, lastEvent: lastEvent)
            server.takeReloads()
            do {
                // A key that the server before us has taken in the meantime is not ours.
                if control.listen(unlessAnswered: false) { _ = try store.checkMasterKeys() }
            } catch {
                await server.stop()
                throw error
            }
            launch.manager.tell(.ready(status: server.status))
            return server
        } catch {
            control.close()
            try? store.serverStopped(by: .system)
            store.close()
            throw error
        }
    }

    private init(
        _ store: Store, _ launch: Launch, _ clock: SystemClock, _ control: ServerControl, lastEvent: Timestamp?
    ) async throws {
        self.store = store
        self.control = control
        self.launch = launch
        let settings = launch.loaded.settings
        let decisions = DecisionLog(store: store, access: settings.audit.access.granularity)
        let pool = WorkerPool(name: "gh-upkeep", threads: 1, capacity: 1024)
        // Pages ask for their reasons here, beside what keeps the server going; what does not fit has no reason.
        let refusals = WorkerPool(name: "gh-refusals", threads: 1, capacity: 16)
        self.refusals = refusals
        let cleaning = WorkerPool(name: "gh-cleaning", threads: 1, capacity: 16)
        self.cleaning = cleaning
        let fetcher = Fetcher(threads: 16, perServer: 8, capacity: 1024)
        let keyFetcher = Fetcher(threads: 8, perServer: 4)
        let issuers = Issuers(
            try settings.issuerConfigurations(), fetcher: keyFetcher, clock: clock, log: launch.log)
        let hasher = try PasswordHasher()
        let limiter = RateLimiter()
        let tokenFetcher = Fetcher(threads: 2 * ProviderTokenRefresher.flightsOfProvider, capacity: 16)
        let providers = Providers(
            settings.providerConfigurations(), fetcher: fetcher, renewing: tokenFetcher, clock: clock, log: launch.log)
        let breachFetcher = Fetcher(threads: 4, capacity: 4)
        try store.adopt(providers: settings.providersToAdopt)
        let portal = PortalResponder(
            try settings.portalConfiguration(
                store: store, hasher: hasher, limiter: limiter,
                breaches: settings.breachCheck(through: breachFetcher, launch.log), providers: providers),
            services: try PortalResponder.services(clock: clock, decisions: decisions, refusals: refusals),
            log: launch.log)
        let inForce = InForceBox(
            InForce(
                loaded: launch.loaded, settings: settings, stamps: launch.stamps, issuers: issuers,
                providers: providers, generation: 1, lastReload: LastReload(success: true, at: clock.now())))
        let parts = Parts(
            store: store, fetcher: fetcher, keyFetcher: keyFetcher, decisions: decisions, pool: pool, clock: clock,
            log: launch.log,
            writer: launch.writer,
            inForce: inForce,
            mail: MailWorker(settings, store: store, log: launch.log),
            webhooks: try WebhookWorker(settings, store: store, log: launch.log), breachFetcher: breachFetcher,
            hasher: hasher, limiter: limiter, portal: portal, tokenFetcher: tokenFetcher,
            tokens: inForce.tokenRefresher(store: store, log: launch.log))
        self.parts = parts
        proxy = ProxyServer(
            configuration: try settings.proxyConfiguration(
                generation: 1, descriptors: launch.descriptors,
                listeners: try settings.listenerDescriptions(launch.passed)),
            services: try parts.services(issuers), workers: settings.workers ?? ProcessEnvironment.availableCPUs)
        try await proxy.start()
        // Not waited for: an issuer that is down makes the server not ready, it does not keep it from starting.
        parts.inForce.refresh(issuers)
        parts.mail.start()
        parts.webhooks.start()
        let upkeep = Upkeep(
            store: store, decisions: decisions, limiter: limiter,
            retention: { parts.inForce.value.settings.audit.retention },
            forwardedTokens: { parts.inForce.value.settings.forwardedTokens },
            clock: clock, lastEvent: lastEvent, log: launch.log,
            refreshCertificates: { [proxy] in proxy.refreshCertificates() },
            sweepPages: { portal.sweep() }, keepControl: { control.takeNameBack() })
        self.upkeep = Task { await upkeep.run(on: pool, cleaning: cleaning) }
    }

    var inForce: InForce { parts.inForce.value }

    /// For the service manager.
    private var status: String {
        let settings = inForce.settings
        return "\(settings.routes.count) routes on \(addresses.joined(separator: ", "))"
    }

    // MARK: Reloads

    private func takeReloads() {
        let reloader = Reloader { [weak self] cause in
            guard let self else { return ReloadReport(reloaded: false, configuration: "") }
            launch.manager.tell(.reloading(monotonicMicroseconds: ServiceManager.monotonicMicroseconds()))
            defer { launch.manager.tell(.ready(status: status)) }
            return await performReload(cause)
        }
        control.take(reloader)
        let parts = parts
        let watch = Task { await Self.watch(parts) { await reloader.reload(.watch) } }
        watcher.withLock { $0 = watch }
    }

    /// Reads the configuration again and puts it into force if it is good. Calls at the same time take turns.
    @discardableResult
    func reload(_ cause: ReloadCause) async -> ReloadReport {
        await control.reload(cause)
    }

    // MARK: The end

    /// Takes no more connections, lets exchanges end for as long as `drain` allows, writes what is gathered, closes.
    func stop() async {
        launch.manager.tell(.stopping(status: "requests in flight have \(drain)"))
        let watch = watcher.withLock { $0 }
        watch?.cancel()
        control.finishReloads()
        // Beside the drain, and not much longer than it: a provider that hangs keeps nobody from stopping.
        let tokens = parts.tokens
        async let tokensKept: Void = tokens.stop(waiting: .seconds(5))
        await proxy.stop(drain: drain)
        parts.hasher.stop()
        await tokensKept
        upkeep.cancel()
        parts.inForce.stopRefresh()
        await upkeep.value
        await parts.mail.stop()
        parts.webhooks.stop()
        await watch?.value
        await control.endReloads()
        pool.stop()
        refusals.stop()
        cleaning.stop()
        do {
            try parts.limiter.drain(into: store, final: true)
            try parts.decisions.drain(final: true)
            try store.serverStopped(by: .system)
        } catch {
            log.error("the audit log could not be completed", metadata: ["error": "\(error)"])
        }
        // Until here secrets may be sealed, and another master key may come.
        control.close()
        store.close()
    }
}

/// What is in force, and the task that keeps its issuers' keys fresh.
final class InForceBox: Sendable {
    private let state: Mutex<(value: Server.InForce, refresh: Task<Void, Never>?)>

    init(_ value: Server.InForce) {
        state = Mutex((value, nil))
    }

    var value: Server.InForce { state.withLock { $0.value } }

    func change(_ body: @Sendable (inout Server.InForce) -> Void) {
        state.withLock { body(&$0.value) }
    }

    /// Keeps these fresh from now on, and no others.
    func refresh(_ issuers: Issuers) {
        let task = Task { await issuers.refresh() }
        let old = state.withLock { state in
            defer { state.refresh = task }
            return state.refresh
        }
        old?.cancel()
    }

    func stopRefresh() {
        state.withLock { $0.refresh }?.cancel()
    }
}
