internal import Core
internal import FoundationEssentials
internal import Glibc

/// What a command writes: text for people, or with `--json` one document (for lists one a line) and nothing else.
struct Output: Sendable {
    let json: Bool

    /// One value: its JSON, or what `text` makes of it.
    func value(_ value: some Encodable, _ text: () -> String) throws {
        line(json ? try Self.encode(value) : text())
    }

    /// A list: a JSON document a line, or a table with a heading.
    func list<Element: Encodable>(_ elements: [Element], columns: [(String, (Element) -> String)]) throws {
        if json {
            for element in elements { line(try Self.encode(element)) }
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
            line(cells.joined(separator: "  "))
        }
    }

    /// One line as it is.
    func line(_ text: String) {
        Self.write(text + "\n", to: STDOUT_FILENO)
    }

    /// A line for people only.
    func note(_ text: String) {
        if !json { line(text) }
    }

    /// Text for standard error.
    static func standardError(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    /// JSON in a fixed order of members.
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    // A pipe that nobody reads any more (`audit list | head`) ends the process by SIGPIPE, as for any other tool.
    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
