public import Core
import Glibc
public import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The front: accepts connections, judges every request and carries it on or refuses it.
///
/// Threads: `start`, `replace` and `stop` may be called from any task, one at a time. Everything that belongs to a
/// connection stays on that connection's event loop.
public final class ProxyServer: Sendable {
    /// What the front is given by the rest of the house.
    public struct Services: Sendable {
        /// The time of judgements and of `Date`.
        public var clock: any WallClock
        /// For access lines and for what an operator has to know.
        public var logger: Logger
        /// Asked in order for `/.auth/…` other than checks; nil from all of them is 404.
        public var responders: [any LocalResponder]
        /// For `/readyz`.
        public var readiness: @Sendable () async -> Readiness
        /// Prometheus text that is not the front's own, for `/metrics`.
        public var metrics: @Sendable () async -> String
        /// For request ids, which are no secrets.
        public var seed: UInt64
        /// Called once on every loop, with the loop's number.
        public var makeContext: @Sendable (_ loop: Int) throws -> LoopContext
        /// For the names of upstreams.
        public var resolver: any NameResolving

        /// All fields, named as they are.
        public init(
            clock: any WallClock, logger: Logger, responders: [any LocalResponder],
            readiness: @escaping @Sendable () async -> Readiness, metrics: @escaping @Sendable () async -> String,
            seed: UInt64, makeContext: @escaping @Sendable (_ loop: Int) throws -> LoopContext,
            resolver: any NameResolving = SystemResolver()
        ) {
            self.clock = clock
            self.logger = logger
            self.responders = responders
            self.readiness = readiness
            self.metrics = metrics
            self.seed = seed
            self.makeContext = makeContext
            self.resolver = resolver
        }
    }

    private struct Running: Sendable {
        let group: MultiThreadedEventLoopGroup
        let loops: [NIOLoopBound<ProxyLoop>]
        var site: Site
        var channels: [any Channel] = []
        var bound: [BoundAddress] = []
        var monitor: (channel: any Channel, bound: BoundAddress)?
        var socketFiles: [String] = []
        var certificates = Certificates()
    }

    private enum State: Sendable {
        case new
        case starting
        case running(Running)
        case stopped
    }

    private let configuration: Configuration
    private let services: Services
    private let workers: Int
    private let shared = SharedState()
    private let names: NameThreads
    // Not on the hot path: taken when the server starts, changes or ends.
    private let state = Mutex(State.new)

    /// - Parameter workers: event loops, at least one.
    public init(configuration: Configuration, services: Services, workers: Int) {
        self.configuration = configuration
        self.services = services
        self.workers = max(1, workers)
        names = NameThreads(services.resolver)
    }

    /// Binds all listeners and serves.
    ///
    /// - Throws: when something cannot be bound or a loop's context cannot be made; then nothing listens.
    public func start() async throws(ProxyError) {
        let mayStart = state.withLock { state in
            guard case .new = state else { return false }
            state = .starting
            return true
        }
        guard mayStart else { throw ProxyError(.alreadyStarted, "the server was started before") }
        let site: Site
        do throws(ProxyError) {
            site = try Site(configuration, names: names, logger: services.logger)
        } catch {
            state.withLock { $0 = .stopped }
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: workers)
        do throws(ProxyError) {
            var running = Running(group: group, loops: try await makeLoops(group, site), site: site)
            running.certificates.upstreams = site.upstreamTLS.compactMap(\.self)
            do throws(ProxyError) {
                try await listen(&running)
            } catch {
                await Self.shutDown(running)
                throw error
            }
            let complete = running
            state.withLock { $0 = .running(complete) }
        } catch {
            state.withLock { $0 = .stopped }
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func makeLoops(_ group: MultiThreadedEventLoopGroup, _ site: Site) async throws(ProxyError)
        -> [NIOLoopBound<ProxyLoop>]
    {
        var loops: [NIOLoopBound<ProxyLoop>] = []
        for (number, eventLoop) in group.makeIterator().enumerated() {
            let services = services
            let shared = shared
            do {
                let loop = try await eventLoop.submit {
                    // A check takes microseconds; it should not wait for milliseconds of somebody's sign-in.
                    Scheduling.takeTurns(of: .microseconds(100))
                    let context = try services.makeContext(number)
                    let loop = ProxyLoop(
                        eventLoop: eventLoop, site: site, context: context, services: services, shared: shared,
                        number: number)
                    loop.startTicking()
                    return NIOLoopBound(loop, eventLoop: eventLoop)
                }.get()
                loops.append(loop)
            } catch {
                for loop in loops { try? await loop.eventLoop.submit { loop.value.shutDown() }.get() }
                throw ProxyError(.contextFailed, "event loop \(number) could not be set up: \(error)")
            }
        }
        return loops
    }

    private func listen(_ running: inout Running) async throws(ProxyError) {
        let listener = Listener(
            loops: running.loops, group: running.group,
            maximumConnections: configuration.limits.maximumConnections, listeners: configuration.listeners.count)
        for description in configuration.listeners {
            let tls: TLSTerminal?
            if let description = description.tls { tls = try TLSTerminal(description) } else { tls = nil }
            if let tls { running.certificates.terminals.append(tls) }
            let result = try await listener.bind(description, tls: tls)
            running.channels += result.channels
            running.bound += result.bound
            if case .unix(let path, _, _) = description.address { running.socketFiles.append(path) }
        }
        if let address = configuration.monitor {
            let exposition = Exposition(
                loops: running.loops, clock: services.clock, more: services.metrics,
                expiries: { [weak self] in self?.certificates.expiries ?? [] })
            let monitor = MonitorListener(
                loop: running.loops[0], exposition: exposition, services: services,
                isStopping: { [weak self] in self?.isStopped ?? true })
            running.monitor = try await monitor.bind(address)
            if case .unix(let path, _, _) = address { running.socketFiles.append(path) }
        }
    }

    /// Where the listeners listen, in the order of the configuration; empty before `start`.
    public var listening: [BoundAddress] {
        state.withLock { if case .running(let running) = $0 { running.bound } else { [] } }
    }

    /// Where the monitor listens.
    public var monitorAddress: BoundAddress? {
        state.withLock { if case .running(let running) = $0 { running.monitor?.bound } else { nil } }
    }

    /// Puts another configuration into force, loop by loop; listeners stay as they are. Exchanges under way end with
    /// what they began with.
    ///
    /// - Parameter makeContext: makes each loop's context anew; nil keeps the contexts.
    /// - Throws: when the configuration or a context is not fit; loops that had changed by then stay changed only if
    ///   all contexts could be made.
    public func replace(
        configuration: Configuration, makeContext: (@Sendable (_ loop: Int) throws -> LoopContext)? = nil
    ) async throws(ProxyError) {
        let current: Running? = state.withLock { if case .running(let running) = $0 { running } else { nil } }
        guard let current else { throw ProxyError(.notRunning, "the server is not running") }
        let site = try Site(configuration, replacing: current.site, names: names, logger: services.logger)
        do {
            var made: [NIOLoopBoundBox<LoopContext?>] = []
            for (number, loop) in current.loops.enumerated() {
                let context = try await loop.eventLoop.submit {
                    NIOLoopBoundBox(try makeContext?(number), eventLoop: loop.eventLoop)
                }.get()
                made.append(context)
            }
            for (loop, context) in zip(current.loops, made) {
                try await loop.eventLoop.submit { loop.value.replace(site: site, context: context.value) }.get()
            }
            state.withLock { state in
                guard case .running(var running) = state else { return }
                running.certificates.upstreams = site.upstreamTLS.compactMap(\.self)
                running.site = site
                state = .running(running)
            }
        } catch {
            throw ProxyError(.contextFailed, "an event loop could not take the new configuration: \(error)")
        }
    }

    private var isStopped: Bool {
        state.withLock { if case .stopped = $0 { true } else { false } }
    }

    private var certificates: Certificates {
        state.withLock { if case .running(let running) = $0 { running.certificates } else { Certificates() } }
    }

    /// Looks whether files of certificates and keys have changed, and takes those that are good; connections under way
    /// stay as they are. Reads files, so it belongs on a thread that may wait; cheap while nothing changes.
    public func refreshCertificates() {
        certificates.refresh { files, problem in
            let files: Logger.MetadataValue = "\(files.joined(separator: ", "))"
            if let problem {
                services.logger.error(
                    "changed certificates cannot be used, the old ones stay",
                    metadata: ["files": files, "error": "\(problem)"])
            } else {
                services.logger.notice("changed certificates are in force", metadata: ["files": files])
            }
        }
    }

    /// Stops accepting, lets exchanges end for as long as `drain`, then closes what is left.
    public func stop(drain: Duration) async {
        let current: Running? = state.withLock { state in
            guard case .running(let running) = state else { return nil }
            state = .stopped
            return running
        }
        guard let current else { return }
        defer { names.stop() }
        await Self.close(current)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                let drains = current.loops.map { loop in loop.eventLoop.flatSubmit { loop.value.drain() } }
                for drain in drains { try? await drain.get() }
            }
            tasks.addTask { try? await Task.sleep(for: drain) }
            await tasks.next()
            // Whoever still waits is woken by this.
            for loop in current.loops { try? await loop.eventLoop.submit { loop.value.shutDown() }.get() }
            tasks.cancelAll()
        }
        if let monitor = current.monitor { try? await monitor.channel.close().get() }
        try? await current.group.shutdownGracefully()
    }

    /// Listens no more. The names go first: as soon as nobody answers behind one, another server may have taken it.
    private static func close(_ running: Running) async {
        for path in running.socketFiles { unlink(path) }
        for channel in running.channels { try? await channel.close().get() }
    }

    private static func shutDown(_ running: Running) async {
        await close(running)
        for loop in running.loops { try? await loop.eventLoop.submit { loop.value.shutDown() }.get() }
    }
}
