/// Walks a document along the schema: refuses keys that do not exist, puts environment variables in their places.
struct ShapeCheck {
    let reading: Reading

    /// The same document with every `{env: NAME}` replaced, secrets apart: those stay as written, so that they never
    /// stand where messages are made from.
    func check(_ node: Document.Node, against schema: SchemaNode, path: String = "") -> Document.Node {
        if schema.key?.kind == .secret { return node }
        if schema.anyName == nil, let replaced = replaceIndirection(node, schema, path) { return replaced }
        switch node.content {
        case .text, .unusable: return node
        case .list(let items):
            guard let below = schema.anyItem ?? leaf(schema) else { return node }
            var result = node
            result.content = .list(
                items.enumerated().map { check($1, against: below, path: "\(path)[\($0)]") })
            return result
        case .map(let entries):
            // Where a list of maps stands, a single map may stand for it.
            if schema.names.isEmpty, schema.anyName == nil, let item = schema.anyItem, !item.names.isEmpty {
                return check(node, against: item, path: path)
            }
            if schema.names.isEmpty, schema.anyName == nil { return node }
            var result = node
            result.content = .map(entries.map { check($0, in: schema, path: path) })
            return result
        }
    }

    private func check(_ entry: Document.Entry, in schema: SchemaNode, path: String) -> Document.Entry {
        let entryPath = Problem.join(path, entry.key)
        var result = entry
        guard entry.key != "*", entry.key != "[]", let below = schema.child(entry.key) ?? schema.anyName else {
            let names = schema.names
            let suggestion = Nearest.suggestion(for: entry.key, among: names)
            let allowed = suggestion.isEmpty ? "; allowed here: \(names.joined(separator: ", "))" : suggestion
            reading.problem(entry.location, entryPath, "unknown key\(allowed)")
            result.value.content = .unusable
            return result
        }
        result.value = check(entry.value, against: below, path: entryPath)
        return result
    }

    /// The items of a list of texts are held against the key itself.
    private func leaf(_ schema: SchemaNode) -> SchemaNode? {
        schema.children.isEmpty ? schema : nil
    }

    private func replaceIndirection(_ node: Document.Node, _ schema: SchemaNode, _ path: String) -> Document.Node? {
        guard case .map(let entries) = node.content, entries.count == 1, let entry = entries.first,
            schema.child(entry.key) == nil, schema.anyItem?.child(entry.key) == nil
        else { return nil }
        var result = node
        switch entry.key {
        case "env":
            guard let text = Indirection.environment(entry.value, reading: reading, path: path) else {
                result.content = .unusable
                return result
            }
            result.content = .text(text, quoted: true)
            return result
        case "file", "credential":
            guard schema.children.isEmpty else { return nil }
            reading.problem(
                entry.location, path, "{ \(entry.key): … } is only for secrets; write the value itself or { env: NAME }"
            )
            result.content = .unusable
            return result
        default: return nil
        }
    }
}

/// Values that stand somewhere else than in the file.
enum Indirection {
    /// The variable that `node` names; nil after a problem was reported.
    static func environment(_ node: Document.Node, reading: Reading, path: String) -> String? {
        guard case .text(let name, _) = node.content, !name.isEmpty else {
            reading.problem(node.location, path, "{ env: … } needs the name of a variable, found \(node.found)")
            return nil
        }
        guard let text = reading.environment(name) else {
            reading.problem(node.location, path, "the environment has no variable \(Document.Node.quote(name))")
            return nil
        }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// The bytes without one newline at the end.
    static func withoutNewline(_ bytes: [UInt8]) -> [UInt8] {
        bytes.last == UInt8(ascii: "\n") ? Array(bytes.dropLast()) : bytes
    }
}
