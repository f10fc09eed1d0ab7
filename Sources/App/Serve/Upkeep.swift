internal import Accounts
internal import Core
internal import Logging

/// What the server does beside answering: empties the loops' audit rings, frees expired rows, rotates signing keys,
/// prunes the audit log.
struct Upkeep: Sendable {
    let store: Store
    let decisions: DecisionLog
    let limiter: RateLimiter
    /// `audit.retention` as it is now.
    let retention: @Sendable () -> Duration
    /// Whose tokens routes forward now.
    let forwardedTokens: @Sendable () -> Set<TokenProvider>
    let clock: any WallClock
    /// When the last event was before this start; nil: there was none.
    let lastEvent: Timestamp?
    let log: Logger
    /// Looks whether certificates have changed.
    let refreshCertificates: @Sendable () -> Void
    /// Frees what the pages keep in memory for people who never came back.
    let sweepPages: @Sendable () -> Void
    /// Has commands reach this server again when another one on its folder has ended.
    let keepControl: @Sendable () -> Void

    /// Says what appending has found to be wrong with the audit log.
    static func tellAlarms(of store: Store, _ log: Logger) {
        for what in store.takeAuditAlarms() {
            log.error(
                "the audit log was changed behind the program's back; `gatehouse audit verify` says where",
                metadata: ["what": "\(what)"])
        }
    }

    /// Runs until the task is cancelled; each piece of work is handed to a pool and waited for.
    ///
    /// - Parameters:
    ///   - pool: for what is done at once. Readiness and reloads wait for it too.
    ///   - cleaning: for what takes as long as there is something to be removed.
    func run(on pool: WorkerPool, cleaning: WorkerPool) async {
        async let often: Void = keepUp(on: pool)
        await clean(on: cleaning)
        await often
    }

    private func keepUp(on pool: WorkerPool) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            await perform("drain", on: pool) { try decisions.drain() }
            await perform("limits", on: pool) { try limiter.drain(into: store) }
            await perform("certificates", on: pool) { refreshCertificates() }
            await perform("control", on: pool) { keepControl() }
            Self.tellAlarms(of: store, log)
        }
    }

    private func clean(on pool: WorkerPool) async {
        var lastMinute = clock.now()
        var lastHour = lastMinute
        var steady = SteadyClock(at: lastMinute, .now, lastEvent: lastEvent)
        if !steady.isTrusted(at: .now) {
            log.warning("the clock is far ahead of the last event; for a day nothing is removed for its age")
        }
        // What the configuration of this start wants no more.
        await dropTokens(on: pool)
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let now = clock.now()
            if let moved = steady.look(at: now, .now) {
                log.warning(
                    "the clock was moved; for a day nothing is removed for its age", metadata: ["by": "\(moved)"])
            }
            let isTrusted = steady.isTrusted(at: .now)
            // The distance either way: a clock that was set back must not stop the work.
            if (now - lastMinute).magnitude >= .seconds(60) {
                lastMinute = now
                sweepPages()
                if isTrusted {
                    await perform("sweep", on: pool) {
                        while try store.sweep() > 0 {}
                        while try store.sweepRefusals() > 0 {}
                    }
                }
            }
            if (now - lastHour).magnitude >= .seconds(3600) {
                lastHour = now
                await dropTokens(on: pool)
                if isTrusted {
                    await perform("rotate", on: pool) { _ = try store.maintainSigningKeys() }
                    await perform("prune", on: pool) { _ = try store.pruneAudit(retention: retention()) }
                }
            }
        }
    }

    private func dropTokens(on pool: WorkerPool) async {
        await perform("tokens", on: pool) { _ = try store.dropProviderTokens(besides: forwardedTokens()) }
    }

    private func perform(_ name: String, on pool: WorkerPool, _ work: @escaping @Sendable () throws -> Void) async {
        await withCheckedContinuation { continuation in
            let accepted = pool.submit {
                do {
                    try work()
                } catch {
                    log.error(
                        "upkeep failed and will be tried again", metadata: ["work": "\(name)", "error": "\(error)"])
                }
                continuation.resume()
            }
            if !accepted { continuation.resume() }
        }
    }
}
