internal import Accounts
internal import Core

/// Why a configuration is read again.
enum ReloadCause: Sendable {
    /// SIGHUP.
    case signal
    /// `gatehouse reload`, by this actor.
    case command(AuditActor)
    /// One of its files has changed.
    case watch

    var actor: AuditActor {
        switch self {
        case .signal, .watch: .system
        case .command(let actor): actor
        }
    }

    /// For the log.
    var name: String {
        switch self {
        case .signal: "signal"
        case .command: "command"
        case .watch: "watch"
        }
    }
}

/// What came of a reload; also the answer on the control socket.
struct ReloadReport: Sendable, Codable, Equatable {
    /// The new configuration is in force.
    var reloaded: Bool
    /// The file that the server read.
    var configuration: String
    /// The keys that differ, by path.
    var changed: [String] = []
    /// Keys whose new value takes a restart.
    var needsRestart: [String] = []
    var warnings: [String] = []
    /// Why it was refused: `FILE:LINE:COLUMN: path: …`.
    var errors: [String] = []

    private enum CodingKeys: String, CodingKey {
        case reloaded, configuration, changed, warnings, errors
        case needsRestart = "needs_restart"
    }
}

/// For the metrics.
struct LastReload: Sendable {
    var success: Bool
    var at: Timestamp
}
