internal import Core
internal import FoundationEssentials
internal import Glibc

/// What a command writes: text for people, or with `--json` one document (for lists one a line) and nothing else.
struct Output: Sendable {
    let json: Bool

    /// One value: its JSON, or what `text` makes of it.
    func value(_ value: some Encodable, _ text: () -> String) throws {
        try line(json ? try Self.encode(value) : text())
    }

    /// A list: a JSON document a line, or a table with a heading.
    func list<Element: Encodable>(_ elements: [Element], columns: [(String, (Element) -> String)]) throws {
        if json {
            for element in elements { try line(try Self.encode(element)) }
            return
        }
        var table = [columns.map(\.0)]
        // What strangers chose stands here too, and a terminal acts on some of what is not seen.
        for element in elements { table.append(columns.map { VisibleText.masked($0.1(element)) }) }
        let widths = columns.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for row in table {
            let cells = row.enumerated().map { column, text in
                column == row.count - 1 ? text : text + String(repeating: " ", count: widths[column] - text.count)
            }
            try line(cells.joined(separator: "  "))
        }
    }

    /// One line as it is.
    ///
    /// - Throws: when it could not be written: who kept the output believes to have all of it.
    func line(_ text: String) throws(CommandFailure) {
        switch Self.write(text + "\n", to: STDOUT_FILENO) {
        case 0: break
        // Nobody reads any more, and nobody would read why.
        case EPIPE: throw CommandFailure(.failed, "")
        case let code:
            throw CommandFailure(.failed, "cannot write to standard output: \(String(cString: strerror(code)))")
        }
    }

    /// Text for standard error; where that cannot be written, there is nobody to tell.
    static func standardError(_ text: String) {
        _ = write(text, to: STDERR_FILENO)
    }

    /// JSON in a fixed order of members.
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A pipe that nobody reads any more (`audit list | head`) ends the process by SIGPIPE, as for any other tool, unless
    /// whoever started it ignores the signal.
    ///
    /// - Returns: 0, or an errno.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { return written < 0 ? errno : EIO }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
            return 0
        }
    }
}
