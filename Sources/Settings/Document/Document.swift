/// A configuration as written: maps, lists and text with the places where they stand. Nothing has been typed yet;
/// `no`, `1_000` and `12:30` are what they say.
struct Document: Sendable {
    /// Where something stands; lines and columns count from 1, columns in Unicode scalars.
    struct Location: Hashable, Sendable {
        var file: String
        var line: Int
        var column: Int
    }

    /// One value of any shape.
    struct Node: Sendable {
        var content: Content
        var location: Location
    }

    /// What a value is.
    indirect enum Content: Sendable {
        /// A scalar and whether it stood in quotes; a plain empty one means that nothing was written.
        case text(String, quoted: Bool)
        case list([Node])
        case map([Entry])
        /// Something the reader has already complained about; nobody else needs to.
        case unusable
    }

    /// A key of a map with its value.
    struct Entry: Sendable {
        var key: String
        var location: Location
        var value: Node
    }

    /// The outermost value.
    var root: Node
}

extension Document.Node {
    /// The value of `key`, if this is a map that has it.
    func child(_ key: String) -> Document.Node? {
        guard case .map(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// Somebody has complained about it or about something in it.
    var isDamaged: Bool {
        switch content {
        case .text: false
        case .list(let items): items.contains(where: \.isDamaged)
        case .map(let entries): entries.contains(where: \.value.isDamaged)
        case .unusable: true
        }
    }

    /// What stands there, in words for a message; long text is cut.
    var found: String {
        switch content {
        case .text("", quoted: false): "nothing"
        case .text(let text, _): Self.quote(text)
        case .list(let items): items.isEmpty ? "an empty list" : "a list"
        case .map(let entries): entries.isEmpty ? "an empty map" : "a map"
        case .unusable: "something unreadable"
        }
    }

    /// `text` between quotes, made printable and cut after 80 characters.
    static func quote(_ text: String) -> String {
        let scalars = text.unicodeScalars
        return "\"\(printable(scalars.prefix(80)))\(scalars.count > 80 ? "…" : "")\""
    }

    /// The characters with escapes for those that would do something to a terminal or a log.
    static func printable(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var shown = ""
        for scalar in scalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
