internal import Accounts
internal import Core
internal import Federation
internal import Logging
internal import Portal
internal import Proxy
internal import Settings

extension Server {
    /// Reads the configuration and puts it into force if it is good; a bad one changes nothing.
    ///
    /// Everything that can fail is done before the first loop changes: reading, compiling, fetching the keys of issuers
    /// that are new or whose keys come from elsewhere, and making what each loop needs.
    func performReload(_ cause: ReloadCause) async -> ReloadReport {
        let current = inForce
        let files = WatchedFiles()
        var report = ReloadReport(reloaded: false, configuration: launch.invocation.configurationPath)
        do {
            let invocation = launch.invocation
            let loaded = try await pool.run {
                try invocation.load(through: files, keeping: current.settings.publicURL)
            }
            report.changed = Settings.differences(from: current.loaded, to: loaded)
            // An editor's own file in an included folder is no reason to start all caches anew.
            if case .watch = cause, report.changed.isEmpty,
                FileStamp.filesAreTheSame(current.stamps, files.stamps)
            {
                parts.inForce.change { $0.stamps = files.stamps }
                report.reloaded = true
                return report
            }
            report.needsRestart = current.settings.keysToRestart(for: loaded.settings)
            report.warnings = loaded.warnings.map { "\($0)" }
            let settings = current.settings.reloaded(with: loaded.settings)
            let (issuers, providers) = try await swap(to: settings, generation: current.generation + 1, from: current)
            report.warnings += issuers.withoutKeys.map { "the keys of issuer \($0) could not be fetched yet" }
            parts.inForce.change { inForce in
                inForce = InForce(
                    loaded: loaded, settings: settings, stamps: files.stamps, issuers: issuers, providers: providers,
                    generation: current.generation + 1,
                    lastReload: LastReload(success: true, at: self.parts.clock.now())
                )
            }
            await dropTokens(besides: settings.forwardedTokens, wanted: current.settings.forwardedTokens)
            parts.inForce.refresh(issuers)
            parts.mail.replace(settings)
            launch.style.change(level: settings.log.loggerLevel, isJSON: settings.log.writesJSON)
            report.reloaded = true
        } catch {
            report.errors =
                CommandFailure(reporting: error).map { $0.message.split(separator: "\n").map(String.init) }
                ?? ["\(error)"]
            refused(files)
        }
        tell(report, cause)
        await writeDown(report, by: cause.actor)
        return report
    }

    /// - Returns: the issuers and the providers that are in use from now on.
    private func swap(
        to settings: Settings, generation: UInt64, from old: InForce
    ) async throws -> (Issuers, Providers) {
        let providers = Providers(
            settings.providerConfigurations(), replacing: old.providers, fetcher: parts.fetcher,
            renewing: parts.tokenFetcher, clock: parts.clock, log: log)
        let issuers = Issuers(
            try settings.issuerConfigurations(), replacing: old.issuers, fetcher: parts.keyFetcher, clock: parts.clock,
            log: log)
        let configuration = try settings.proxyConfiguration(
            generation: generation, descriptors: launch.descriptors)
        let portal = try settings.portalConfiguration(
            store: parts.store, hasher: parts.hasher, limiter: parts.limiter,
            breaches: settings.breachCheck(through: parts.breachFetcher, log), providers: providers)
        let webhooks = try WebhookWorker.prepared(settings)
        try await pool.run { [store = parts.store] in try store.adopt(providers: settings.providersToAdopt) }
        await issuers.refreshDue()
        try await proxy.replace(
            configuration: configuration, makeContext: parts.makeContext(issuers, settings))
        parts.portal.replace(portal)
        await parts.webhooks.replace(webhooks)
        return (issuers, providers)
    }

    /// Removes the tokens of providers that no route forwards any more; what fails here is done by the hourly upkeep.
    private func dropTokens(besides now: Set<TokenProvider>, wanted before: Set<TokenProvider>) async {
        guard !before.isSubset(of: now) else { return }
        _ = try? await pool.run { [store = parts.store] in try store.dropProviderTokens(besides: now) }
    }

    /// Remembers how the files were, so that they are not read again before they change again: those that this attempt
    /// did not come to as well.
    private func refused(_ files: WatchedFiles) {
        let now = parts.clock.now()
        parts.inForce.change { inForce in
            inForce.lastReload = LastReload(success: false, at: now)
            let others = inForce.stamps.keys.map { ($0, FileStamp($0)) }
            inForce.stamps = files.stamps.merging(others) { read, _ in read }
        }
    }

    private func tell(_ report: ReloadReport, _ cause: ReloadCause) {
        var metadata: Logger.Metadata = ["cause": "\(cause.name)", "configuration": "\(report.configuration)"]
        guard report.reloaded else {
            metadata["errors"] = "\(report.errors.joined(separator: " | "))"
            log.error("the new configuration is refused; the old one stays in force", metadata: metadata)
            return
        }
        for warning in report.warnings { log.warning("configuration", metadata: ["warning": "\(warning)"]) }
        metadata["changed"] = "\(report.changed.joined(separator: " "))"
        log.notice("the configuration was reloaded", metadata: metadata)
        if !report.needsRestart.isEmpty {
            log.warning(
                "these keys keep their old value: a change of them needs a restart",
                metadata: ["needs_restart": "\(report.needsRestart.joined(separator: " "))"])
        }
    }

    private func writeDown(_ report: ReloadReport, by actor: AuditActor) async {
        let store = store
        do {
            try await pool.run {
                if report.reloaded {
                    try store.configurationReloaded(
                        changed: report.changed, needsRestart: report.needsRestart, by: actor)
                } else {
                    try store.configurationRefused(errors: report.errors, by: actor)
                }
            }
        } catch {
            log.error("the reload could not be written to the audit log", metadata: ["error": "\(error)"])
        }
    }

    /// Looks once a second, with `reload: watch`, whether a file of the configuration has changed.
    static func watch(_ parts: Parts, _ reload: @Sendable () async -> ReloadReport) async {
        var watch = ChangeWatch()
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let inForce = parts.inForce.value
            guard inForce.settings.reload == .watch, !Task.isCancelled else { continue }
            let known = inForce.stamps
            let current = try? await parts.pool.run {
                Dictionary(uniqueKeysWithValues: known.keys.map { ($0, FileStamp($0)) })
            }
            if let current, watch.look(known: known, current: current) { _ = await reload() }
        }
    }
}
