import Yams

/// Reads one YAML file into a ``Document``.
///
/// Kept out, because two readers of one file would see two things: anchors, aliases, merge keys and tags; keys that
/// are no plain text; the same key twice; more than one document.
struct DocumentReader {
    private let file: String
    private(set) var problems: [Problem] = []
    private var lines = 1
    private var renamed: [DuplicateKeys.Position: Unicode.Scalar] = [:]

    /// - Parameter file: the name that goes into messages.
    init(file: String) {
        self.file = file
    }

    /// - Returns: nil when the text is no YAML at all; an empty file is an empty map.
    mutating func read(_ bytes: [UInt8]) -> Document? {
        // Some editors begin a file with a byte order mark, which is no part of the text.
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        guard let text = String(validating: bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...], as: UTF8.self)
        else {
            report(line: 1, column: 1, "the file is not UTF-8")
            return nil
        }
        lines = text.unicodeScalars.reduce(1) { $1 == "\n" ? $0 + 1 : $0 }
        do {
            let composed = try DuplicateKeys.compose(text)
            renamed = composed.renamed
            // The parser holds the anchors; a node's own reference to its anchor is weak.
            return withExtendedLifetime(composed.parser) {
                guard let root = composed.root else {
                    return Document(root: .init(content: .map([]), location: .init(file: file, line: 1, column: 1)))
                }
                return Document(root: convert(root, path: "", after: location(line: 1, column: 1)))
            }
        } catch {
            report(error)
            return nil
        }
    }

    // MARK: Nodes

    private mutating func convert(_ node: Node, path: String, after previous: Document.Location) -> Document.Node {
        let place = node.mark.map { location(line: $0.line, column: $0.column) } ?? previous
        func unusable(_ message: String) -> Document.Node {
            problems.append(Problem(place, path, message))
            return .init(content: .unusable, location: place)
        }
        // An alias is a copy of its anchored node, so it stops here too and nothing can grow by repetition.
        if node.anchor != nil { return unusable("anchors (&) and aliases (*) are not supported; write the value out") }
        switch node {
        case .alias: return unusable("aliases (*) are not supported; write the value out")
        case .scalar(let scalar):
            let quoted = scalar.style != .plain && scalar.style != .any
            guard isImplicit(scalar.tag) || quoted && isText(scalar.tag) else {
                return unusable("tags are not supported; leave out the !")
            }
            return .init(content: .text(scalar.string, quoted: quoted), location: place)
        case .sequence(let items):
            guard isImplicit(items.tag) else { return unusable("tags are not supported; leave out the !") }
            var list: [Document.Node] = []
            for (index, item) in items.enumerated() {
                list.append(convert(item, path: "\(path)[\(index)]", after: place))
            }
            return .init(content: .list(list), location: place)
        case .mapping(let pairs):
            guard isImplicit(pairs.tag) else { return unusable("tags are not supported; leave out the !") }
            return .init(content: .map(convert(pairs, path: path, at: place)), location: place)
        }
    }

    private mutating func convert(
        _ pairs: Node.Mapping, path: String, at place: Document.Location
    ) -> [Document.Entry] {
        var entries: [Document.Entry] = []
        var seen: [String: Document.Location] = [:]
        for (key, value) in pairs {
            let keyPlace = key.mark.map { location(line: $0.line, column: $0.column) } ?? place
            guard case .scalar(let scalar) = key, key.anchor == nil, isImplicit(scalar.tag) || isText(scalar.tag) else {
                problems.append(Problem(keyPlace, path, "a key must be plain text, without anchor or tag"))
                continue
            }
            let name = original(scalar, at: keyPlace)
            let keyPath = Problem.join(path, name)
            if name == "<<", scalar.style == .plain {
                problems.append(Problem(keyPlace, path, "merge keys (<<) are not supported; write the keys out"))
                continue
            }
            if let first = seen[name] {
                problems.append(
                    Problem(keyPlace, keyPath, "the key is here a second time; the first is on line \(first.line)"))
                continue
            }
            seen[name] = keyPlace
            let node = convert(value, path: keyPath, after: keyPlace)
            entries.append(.init(key: name, location: keyPlace, value: node))
        }
        return entries
    }

    private func original(_ key: Node.Scalar, at place: Document.Location) -> String {
        guard let first = renamed[.init(line: place.line, column: place.column)] else { return key.string }
        var scalars = key.string.unicodeScalars
        if !scalars.isEmpty { scalars.replaceSubrange(scalars.startIndex...scalars.startIndex, with: [first]) }
        return String(scalars)
    }

    private func isImplicit(_ tag: Tag) -> Bool { tag.rawValue == Tag.Name.implicit.rawValue }

    /// What the parser says of text in quotes, and of keys once it has compared them.
    private func isText(_ tag: Tag) -> Bool { tag.rawValue == Tag.Name.str.rawValue }

    // MARK: Problems

    private func location(line: Int, column: Int) -> Document.Location {
        .init(file: file, line: line, column: column)
    }

    private mutating func report(line: Int, column: Int, _ message: String) {
        // What is missing at the end is missing on the last line, however long the parser went on looking.
        let place = line > lines ? location(line: lines, column: 1) : location(line: line, column: column)
        problems.append(Problem(place, "", message))
    }

    private mutating func report(_ error: any Error) {
        guard let error = error as? YamlError else {
            return report(line: 1, column: 1, "the file cannot be read as YAML")
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let isAlias = context?.text.contains("alias") == true || problem.contains("alias")
            var hint = isAlias ? "; a value that begins with * must be quoted, like \"*.example.com\"" : ""
            if problem.contains("cannot start any token") {
                hint = "; lines are indented by spaces, not tabs, and a value that begins with @ or ` must be quoted"
            }
            let during = (context?.text).map { " (\($0))" } ?? ""
            report(line: mark.line, column: mark.column, "not valid YAML: \(problem)\(during)\(hint)")
        case .reader(let problem, _, _, _):
            report(line: 1, column: 1, "not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { Document.Node.quote($0) }.joined(separator: ", ")
            report(line: context.mark.line, column: context.mark.column, "the same key twice in one map: \(names)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            report(line: 1, column: 1, "the file cannot be read as YAML")
        }
    }
}
