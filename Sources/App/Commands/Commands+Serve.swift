internal import Core
internal import Glibc
internal import Logging
internal import Settings

extension Commands {
    /// `serve`: until SIGTERM or SIGINT; SIGHUP reads the configuration again.
    public static func serve(_ invocation: Invocation) async throws {
        // First of all: a signal that comes while the server starts must not end it unsaid.
        let signals = SignalWaiter.signals([SIGTERM, SIGINT, SIGHUP])
        // Nobody reading the log any more is no reason to end.
        _ = signal(SIGPIPE, SIG_IGN)
        let launch = try Launch(
            invocation, manager: ServiceManager(ProcessEnvironment.value(of: "NOTIFY_SOCKET")),
            passed: PassedSockets.take())
        for warning in launch.loaded.warnings {
            launch.log.warning("configuration", metadata: ["warning": "\(warning)"])
        }
        defer { launch.writer.finish() }
        let server = try await Server.start(launch)
        announce(server.addresses, launch)
        launch.log.notice(
            "descriptors",
            metadata: [
                "limit": "\(launch.descriptors.limit)", "connections": "\(launch.descriptors.connections)",
            ])
        launch.log.notice(
            "started", metadata: ["version": "\(Build.version)", "routes": "\(launch.loaded.settings.routes.count)"])
        for await signal in signals {
            if signal == SIGHUP {
                Task { await server.reload(.signal) }
                continue
            }
            launch.log.notice("stopping", metadata: ["signal": "\(signal)", "drain": "\(server.drain)"])
            break
        }
        await server.stop()
    }

    /// Where it listens; a standard output that cannot be written is no reason not to serve.
    private static func announce(_ addresses: [String], _ launch: Launch) {
        struct Answer: Encodable {
            let listening: String
        }
        do {
            for address in addresses {
                try launch.context.output.value(Answer(listening: address)) { "listening on \(address)" }
            }
        } catch {
            launch.log.warning("where it listens could not be written to standard output")
        }
    }
}

/// What a server is started with.
struct Launch: Sendable {
    let invocation: Invocation
    let loaded: Settings.Loaded
    /// The files of the configuration as they were read.
    let stamps: [String: FileStamp]
    let context: CommandContext
    let log: Logger
    let style: LogStyle
    let writer: LogWriter
    let manager: ServiceManager
    let passed: PassedSockets
    let descriptors: DescriptorBudget

    /// Reads the configuration and becomes the owner of the data folder.
    init(
        _ invocation: Invocation, manager: ServiceManager = ServiceManager(nil),
        passed: PassedSockets = PassedSockets()
    ) throws {
        let files = WatchedFiles()
        self.invocation = invocation
        loaded = try invocation.load(through: files)
        stamps = files.stamps
        context = try invocation.context(for: loaded.settings)
        let style = LogStyle(level: loaded.settings.log.loggerLevel, isJSON: loaded.settings.log.writesJSON)
        self.style = style
        let writer = LogWriter(descriptor: STDERR_FILENO)
        self.writer = writer
        log = Logger(label: "gatehouse") { label in
            LineLogHandler(label: label, style: style, clock: SystemClock(), writer: writer)
        }
        self.manager = manager
        self.passed = passed
        descriptors = DescriptorBudget.raised()
    }
}

extension Settings.Log {
    /// As swift-log names it.
    var loggerLevel: Logger.Level { Logger.Level(rawValue: level.rawValue) ?? .info }

    var writesJSON: Bool {
        switch format {
        case .auto: !ProcessEnvironment.isTerminal
        case .text: false
        case .json: true
        }
    }
}
