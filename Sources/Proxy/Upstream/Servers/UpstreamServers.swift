import Core
import Logging
import Synchronization

/// The servers of one upstream, as all loops see them: those of the configuration, a name standing for every address
/// that it has now. Lives as long as its description stays the same, over any number of reloads.
///
/// Nothing runs by itself: the loops' ticks ask what is due, and the first to ask does it, once for the process.
final class UpstreamServers: Sendable {
    /// More addresses of names are left out; a lease has a bit for each.
    static let limit = 64

    private struct State: Sendable {
        var servers: [UpstreamServer]
        var version: UInt64 = 1
    }

    let description: UpstreamDescription
    private let names: NameThreads
    private let lookups: [NameLookup]
    private let logger: Logger
    private let state: Mutex<State>
    /// Raised whenever the list changes.
    private let version = Atomic<UInt64>(1)
    /// When the servers are to be checked again, in milliseconds of the monotonic clock.
    private let checkDue = Atomic<Int64>(.min)
    private let ejectionCount = Atomic<UInt64>(0)

    /// - Parameter old: the same upstream as it was described before; what is known of servers that stay is kept.
    init(_ description: UpstreamDescription, replacing old: UpstreamServers?, names: NameThreads, logger: Logger) {
        self.description = description
        self.names = names
        var logger = logger
        logger[metadataKey: "upstream"] = "\(description.name)"
        self.logger = logger
        var lookups: [NameLookup] = []
        for name in description.addresses.compactMap(\.name) where !lookups.contains(where: { $0.host == name }) {
            let known = old?.lookups.first { $0.host == name }?.addresses ?? []
            lookups.append(NameLookup(name, known: known))
        }
        self.lookups = lookups
        state = Mutex(State(servers: Self.list(description, lookups, keeping: old?.servers ?? [])))
        ejectionCount.store(old?.ejections ?? 0, ordering: .relaxed)
    }

    var servers: [UpstreamServer] { state.withLock { $0.servers } }

    /// The list with its version.
    var current: (servers: [UpstreamServer], version: UInt64) { state.withLock { ($0.servers, $0.version) } }

    func hasChanged(since known: UInt64) -> Bool { version.load(ordering: .acquiring) != known }

    /// It can never have another server than this one.
    var isFixed: Bool { lookups.isEmpty }

    /// Servers were passed over so many times.
    var ejections: UInt64 { ejectionCount.load(ordering: .relaxed) }

    func countEjection() { ejectionCount.add(1, ordering: .relaxed) }

    // MARK: Names

    /// Looks up what is due.
    func lookUpDueNames(_ now: Int64) {
        for lookup in lookups where lookup.isDue(now) && lookup.begin(now) {
            names.lookUp(lookup.host) { [weak self] found in self?.ended(lookup, found) }
        }
    }

    /// A server did not take a connection: its name may mean another one by now.
    func doubtAddresses(_ now: Int64) {
        guard !lookups.isEmpty else { return }
        for lookup in lookups { lookup.hasten(now) }
        lookUpDueNames(now)
    }

    /// Calls `then` once, somewhere, when all names have been looked up within the last second.
    ///
    /// - Returns: false when there is nothing to wait for; `then` is not called then.
    func waitForNames(_ now: Int64, _ then: @escaping @Sendable () -> Void) -> Bool {
        // One more than there are names: nothing is over before all of them were asked.
        let group = Countdown(lookups.count + 1, then)
        var waits = false
        for lookup in lookups {
            if lookup.wait(now, { group.step() }) { waits = true } else { group.step() }
        }
        guard waits else { return false }
        group.step()
        lookUpDueNames(now)
        return true
    }

    /// Why a name has no address.
    func problem(of host: String) -> String? { lookups.first { $0.host == host }?.problem }

    private func ended(_ lookup: NameLookup, _ found: Result<[IPAddress], NameResolutionError>) {
        let isFirst = lookup.addresses.isEmpty
        let (change, waiters) = lookup.end(found, at: ProxyLoop.monotonicMilliseconds())
        let host: Logger.MetadataValue = "\(lookup.host)"
        switch change {
        case .none: break
        case .addresses(let addresses):
            state.withLock { state in
                state.servers = Self.list(description, lookups, keeping: state.servers)
                state.version += 1
                version.store(state.version, ordering: .releasing)
            }
            logger.log(
                level: isFirst ? .debug : .notice, "a host of an upstream has other addresses",
                metadata: [
                    "host": host, "addresses": "\(addresses.map(\.description).sorted().joined(separator: " "))",
                ])
        case .failed(let problem):
            logger.warning(
                "a host of an upstream cannot be resolved; known addresses stay in use",
                metadata: ["host": host, "error": "\(problem)"])
        case .recovered: logger.notice("a host of an upstream can be resolved again", metadata: ["host": host])
        }
        for waiter in waiters { waiter() }
    }

    private static func list(
        _ description: UpstreamDescription, _ lookups: [NameLookup], keeping old: [UpstreamServer]
    ) -> [UpstreamServer] {
        var servers: [UpstreamServer] = []
        func add(_ address: UpstreamDescription.Address, _ ip: IPAddress?) {
            guard servers.count < limit else { return }
            let kept = old.first { $0.address == address && $0.resolved == ip }
            servers.append(kept ?? UpstreamServer(address, resolved: ip))
        }
        for address in description.addresses {
            guard let name = address.name else {
                add(address, nil)
                continue
            }
            let found = lookups.first { $0.host == name }?.addresses ?? []
            if found.isEmpty { add(address, nil) }
            for ip in found { add(address, ip) }
        }
        return servers
    }

    // MARK: Checks

    /// Whether the caller has to check the servers now: true for one of all who ask.
    func takeCheck(_ now: Int64) -> Bool {
        guard let check = description.health else { return false }
        let due = checkDue.load(ordering: .relaxed)
        guard due <= now else { return false }
        return checkDue.compareExchange(
            expected: due, desired: now + check.every.wholeMilliseconds, ordering: .relaxed
        ).exchanged
    }

    /// What one check has found.
    ///
    /// - Parameter problem: nil: it is well.
    func checked(_ server: UpstreamServer, problem: String?) {
        let label: Logger.MetadataValue = "\(server.label)"
        switch server.checked(isWell: problem == nil) {
        case .none:
            if let problem {
                logger.debug("a health check failed", metadata: ["server": label, "error": "\(problem)"])
            }
        case .fellIll:
            logger.warning(
                "a server of an upstream fails its health checks and gets no requests",
                metadata: ["server": label, "error": "\(problem ?? "")"])
        case .recovered:
            logger.notice("a server of an upstream is well again", metadata: ["server": label])
        }
    }

    /// Requests are given to it.
    func isUp(_ server: UpstreamServer) -> Bool {
        server.socketAddress != nil && server.pausedUntil == nil && (description.health == nil || !server.isIll)
    }
}

/// Calls back when so many things have happened.
private final class Countdown: Sendable {
    private let left: Atomic<Int>
    private let then: @Sendable () -> Void

    init(_ count: Int, _ then: @escaping @Sendable () -> Void) {
        left = Atomic(count)
        self.then = then
    }

    func step() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { then() }
    }
}
