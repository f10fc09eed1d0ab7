internal import Core
internal import Glibc
internal import Logging
internal import Synchronization

/// How all loggers write, from which level on; a reload changes both, and loggers that were handed out follow.
final class LogStyle: Sendable {
    private let levelIndex: Atomic<Int>
    private let writesJSON: Atomic<Bool>

    init(level: Logger.Level, isJSON: Bool) {
        levelIndex = Atomic(Self.index(level))
        writesJSON = Atomic(isJSON)
    }

    var level: Logger.Level {
        let levels = Logger.Level.allCases
        let index = levelIndex.load(ordering: .relaxed)
        return levels.indices.contains(index) ? levels[index] : .info
    }

    var isJSON: Bool { writesJSON.load(ordering: .relaxed) }

    func change(level: Logger.Level, isJSON: Bool) {
        levelIndex.store(Self.index(level), ordering: .relaxed)
        writesJSON.store(isJSON, ordering: .relaxed)
    }

    private static func index(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}

/// Writes each event as one line on standard error: JSON for machines, or text for a terminal. Values are escaped, so
/// that nothing a client sends can begin a new line or colour a terminal.
struct LineLogHandler: LogHandler {
    /// What the configuration says, unless this logger was told otherwise.
    var logLevel: Logger.Level {
        get { ownLevel ?? style.level }
        set { ownLevel = newValue }
    }
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let style: LogStyle
    private let clock: any WallClock
    private let writer: LogWriter?
    private var ownLevel: Logger.Level?

    /// - Parameter writer: nil: each line is written before `log` returns.
    init(label: String, style: LogStyle, clock: any WallClock, writer: LogWriter? = nil) {
        self.label = label
        self.style = style
        self.clock = clock
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values = metadata
        if let provided = metadataProvider?.get() { values.merge(provided) { $1 } }
        if let own = event.metadata { values.merge(own) { $1 } }
        let line = line(event.level, message: "\(event.message)", metadata: values)
        guard let writer else { return Output.standardError(line) }
        writer.write(line) { lost in
            self.line(.warning, message: "log lines were lost", metadata: ["lines": .stringConvertible(lost)])
        }
    }

    /// The whole line with its end.
    func line(_ level: Logger.Level, message: String, metadata: Logger.Metadata) -> String {
        let time = clock.now().rfc3339
        let fields = metadata.sorted { $0.key < $1.key }
        if style.isJSON {
            let members = fields.map { ",\(Self.quoted($0.key)):\(Self.json($0.value))" }.joined()
            return "{\"time\":\"\(time)\",\"level\":\"\(level)\",\"message\":\(Self.quoted(message))\(members)}\n"
        }
        return "\(time) \(level) \(Self.escaped(message))"
            + fields.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined() + "\n"
    }

    /// Numbers and truth values are written as such.
    private static func json(_ value: Logger.MetadataValue) -> String {
        if case .stringConvertible(let value) = value {
            if let number = value as? any BinaryInteger { return "\(number)" }
            if let truth = value as? Bool { return "\(truth)" }
        }
        return quoted("\(value)")
    }

    private static func quoted(_ text: String) -> String { "\"" + escaped(text) + "\"" }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: needsEscape) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if !needsEscape(scalar) {
                result.unicodeScalars.append(scalar)
            } else if scalar == "\"" || scalar == "\\" {
                result += "\\" + String(scalar)
            } else {
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            }
        }
        return result
    }

    // The C1 controls and the bidirectional overrides act on terminals too; all are below U+FFFF.
    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x22, 0x5c, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
