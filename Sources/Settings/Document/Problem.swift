/// One thing that is wrong with a configuration, or that is likely not what was meant.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// The file as it was named.
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int
    /// The key, like `routes[0].rules[2].allow`; empty for the file as a whole.
    public let path: String
    /// What was found, what is allowed, what was probably meant. Never a secret.
    public let message: String

    init(_ location: Document.Location, _ path: String, _ message: String) {
        file = location.file
        line = location.line
        column = location.column
        self.path = path
        // Some words of others quote what was written as it came.
        self.message = Document.Node.printable(message.unicodeScalars)
    }

    /// `FILE:LINE:COLUMN: path: message`.
    public var description: String {
        "\(file):\(line):\(column): \(path.isEmpty ? "" : path + ": ")\(message)"
    }

    /// The path of `key` in the map at `path`; a key that is no simple name is quoted.
    static func join(_ path: String, _ key: String) -> String {
        let isSimple =
            !key.isEmpty
            && key.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
        let name = isSimple ? key : Document.Node.quote(key)
        return path.isEmpty ? name : path + "." + name
    }
}

/// Why a configuration was not taken: every problem at once, in the order of the files.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        /// The file, or one that it includes, cannot be read.
        case unreadable
        /// It has errors.
        case invalid
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// At least one.
    public let problems: [Problem]
    /// What was also found, though it alone would not stop the start.
    public let warnings: [Problem]

    /// A line a problem, as `check-config` shows them.
    public var description: String { problems.map(\.description).joined(separator: "\n") }

    public static func == (left: SettingsError, right: SettingsError) -> Bool { left.code == right.code }
}
