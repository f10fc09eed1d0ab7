internal import Core
internal import Glibc
internal import Logging
internal import Settings

extension Commands {
    /// `serve`: until SIGTERM or SIGINT.
    public static func serve(_ invocation: Invocation) async throws {
        let loaded = try invocation.load(secrets: .read)
        let log = logger(loaded.settings.log)
        for warning in loaded.warnings { log.warning("configuration", metadata: ["warning": "\(warning)"]) }
        let context = try invocation.context(for: loaded.settings)
        let server = try await Server.start(context, log: log)
        for address in server.addresses { context.output.line("listening on \(address)") }
        log.notice("started", metadata: ["version": "\(Build.version)", "routes": "\(loaded.settings.routes.count)"])
        let signal = await SignalWaiter.wait(for: [SIGTERM, SIGINT])
        log.notice("stopping", metadata: ["signal": "\(signal)", "drain": "\(loaded.settings.drain)"])
        await server.stop()
    }

    static func logger(_ settings: Settings.Log) -> Logger {
        let isJSON =
            switch settings.format {
            case .auto: !ProcessEnvironment.isTerminal
            case .text: false
            case .json: true
            }
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        return Logger(label: "gatehouse") { label in
            LineLogHandler(label: label, level: level, isJSON: isJSON, clock: SystemClock())
        }
    }
}
