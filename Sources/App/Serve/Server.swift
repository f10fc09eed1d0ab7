internal import Accounts
internal import Core
internal import Cryptography
internal import Federation
internal import Glibc
internal import Logging
internal import NIOCore
internal import Outbound
internal import Proxy
internal import Settings

/// The whole server, put together: store, issuers, front, upkeep. Started once, stopped once.
final class Server: Sendable {
    /// Where it listens, in the order of the configuration.
    var addresses: [String] { proxy.listening.map(\.description) }
    /// The port of the first TCP listener.
    var port: Int? { proxy.listening.lazy.compactMap(\.port).first }

    let store: Store
    private let proxy: ProxyServer
    private let decisions: DecisionLog
    private let pool: WorkerPool
    private let upkeep: Task<Void, Never>
    private let refresh: Task<Void, Never>
    private let settings: Settings
    private let log: Logger

    /// Starts everything; when this returns, requests are answered.
    ///
    /// - Throws: what keeps it from starting; nothing is left running then.
    static func start(_ context: CommandContext, log: Logger) async throws -> Server {
        let clock = SystemClock()
        let settings = context.settings
        let store = try Store.open(try context.storeConfiguration(readingMasterKey: true), clock: clock)
        do {
            return try await start(store, settings, clock, log)
        } catch {
            try? store.serverStopped(by: .system)
            store.close()
            throw error
        }
    }

    private static func start(
        _ store: Store, _ settings: Settings, _ clock: SystemClock, _ log: Logger
    ) async throws -> Server {
        if try store.serverStarted(by: .system) {
            log.warning("the last stop was not a clean one; the audit log says so")
        }
        _ = try store.maintainSigningKeys()
        return try await Server(store, settings, clock, log)
    }

    private init(_ store: Store, _ settings: Settings, _ clock: SystemClock, _ log: Logger) async throws {
        self.store = store
        self.settings = settings
        self.log = log
        let decisions = DecisionLog(store: store, access: settings.audit.access.granularity)
        self.decisions = decisions
        pool = WorkerPool(name: "gh-upkeep", threads: 1, capacity: 1024)
        let issuers = Issuers(
            try settings.issuerConfigurations(), fetcher: Fetcher(), clock: clock, log: log)
        let parts = Parts(store: store, issuers: issuers, decisions: decisions, pool: pool, clock: clock, log: log)
        proxy = ProxyServer(
            configuration: try settings.proxyConfiguration(generation: 1), services: try parts.services(),
            workers: settings.workers ?? ProcessEnvironment.availableCPUs)
        try await proxy.start()
        // Not waited for: an issuer that is down makes the server not ready, it does not keep it from starting.
        refresh = Task { await issuers.refresh() }
        let upkeep = Upkeep(
            store: store, decisions: decisions, retention: settings.audit.retention, clock: clock, log: log,
            refreshCertificates: { [proxy] in proxy.refreshCertificates() })
        self.upkeep = Task { [pool] in await upkeep.run(on: pool) }
    }

    /// Takes no more connections, lets exchanges end for as long as `drain` allows, writes what is gathered, closes.
    func stop() async {
        await proxy.stop(drain: settings.drain)
        upkeep.cancel()
        refresh.cancel()
        await upkeep.value
        pool.stop()
        do {
            try decisions.drain(final: true)
            try store.serverStopped(by: .system)
        } catch {
            log.error("the audit log could not be completed", metadata: ["error": "\(error)"])
        }
        store.close()
    }
}

/// What the loops and the monitor are given.
private struct Parts: Sendable {
    let store: Store
    let issuers: Issuers
    let decisions: DecisionLog
    let pool: WorkerPool
    let clock: SystemClock
    let log: Logger

    func services() throws -> ProxyServer.Services {
        let entries = ProcessEnvironment.value(of: "GATEHOUSE_IDENTITY_CACHE").flatMap(Int.init) ?? 16_384
        let seed = try SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        return ProxyServer.Services(
            clock: clock, logger: log, responders: [Documents(store: store, pool: pool, log: log)],
            readiness: readiness, metrics: { StoreMetrics.render(store, decisions) }, seed: seed,
            makeContext: { _ in
                let standing = try LocalStanding(store: store, cacheEntries: entries)
                return LoopContext(
                    credentials: CredentialReaderChain([
                        try AccountReader(store: store, cacheEntries: entries),
                        ForeignTokenReader(issuers: issuers, standing: standing, cacheEntries: entries),
                    ]),
                    decisions: decisions.makeSink(),
                    assertions: try StoredAssertionSigner(store: store))
            })
    }

    private func readiness() async -> Readiness {
        let problem: String? = await withCheckedContinuation { continuation in
            let accepted = pool.submit {
                do {
                    try store.probe()
                    continuation.resume(returning: nil)
                } catch {
                    continuation.resume(returning: "\(error)")
                }
            }
            if !accepted { continuation.resume(returning: "the store's writer is overloaded") }
        }
        var reasons = issuers.withoutKeys.map { "the keys of issuer \($0) were never fetched" }
        if let problem { reasons.append(problem) }
        return reasons.isEmpty ? .ready : .notReady(reasons: reasons)
    }
}

extension Settings.Audit.Access {
    fileprivate var granularity: AccessGranularity {
        switch self {
        case .none: .none
        case .daily: .daily
        case .hourly: .hourly
        }
    }
}
