internal import Core
internal import Glibc
internal import Logging

/// Writes each event as one line on standard error: JSON for machines, or text for a terminal. Values are escaped, so
/// that nothing a client sends can begin a new line or colour a terminal.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let isJSON: Bool
    private let clock: any WallClock

    init(label: String, level: Logger.Level, isJSON: Bool, clock: any WallClock) {
        self.label = label
        logLevel = level
        self.isJSON = isJSON
        self.clock = clock
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values = metadata
        if let provided = metadataProvider?.get() { values.merge(provided) { $1 } }
        if let own = event.metadata { values.merge(own) { $1 } }
        Output.standardError(line(event.level, message: "\(event.message)", metadata: values))
    }

    /// The whole line with its end.
    func line(_ level: Logger.Level, message: String, metadata: Logger.Metadata) -> String {
        let time = clock.now().rfc3339
        let fields = metadata.sorted { $0.key < $1.key }
        if isJSON {
            let members = fields.map { ",\(Self.quoted($0.key)):\(Self.quoted("\($0.value)"))" }.joined()
            return "{\"time\":\"\(time)\",\"level\":\"\(level)\",\"message\":\(Self.quoted(message))\(members)}\n"
        }
        return "\(time) \(level) \(Self.escaped(message))"
            + fields.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined() + "\n"
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
