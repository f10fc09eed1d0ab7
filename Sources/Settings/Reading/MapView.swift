/// A map of the document beside its place in the schema: hands out typed values, defaults included, and complains
/// about those that are not what their key takes.
struct MapView {
    let reading: Reading
    /// A map, or nothing where the whole map is absent.
    let node: Document.Node?
    let location: Document.Location
    let path: String
    let schema: SchemaNode
    /// The place in the schema, in the spelling of the table.
    let schemaPath: String

    /// The value of `key`, or its default; nil when there is neither, or something unusable.
    func value(_ key: String) -> Value? {
        guard let schema = schema.child(key), let row = schema.key else { return nil }
        reading.consult(row.path)
        let path = Problem.join(path, key)
        if let written = node?.child(key) {
            let value = Value(node: written, path: path, kind: row.kind, isWritten: true)
            return value.isUnusable ? nil : value
        }
        guard let standard = row.standard else { return nil }
        return Value(
            node: Defaults.node(standard, at: location), path: path, kind: row.kind, isWritten: false)
    }

    /// The key is written, with anything.
    func has(_ key: String) -> Bool { node?.child(key) != nil }

    /// Where the key's value stands, or the map where it is absent.
    func location(of key: String) -> Document.Location { node?.child(key)?.location ?? location }

    // MARK: Maps and lists of maps

    /// The map at `key`, an empty one where it is absent or something else.
    func map(_ key: String) -> MapView {
        guard let value = value(key) else { return empty(key) }
        guard case .map = value.node.content else {
            reading.refuse(value, expected: "a map")
            return empty(key)
        }
        return below(key, value)
    }

    /// The maps in the list at `key`; a single map is a list of one.
    func maps(_ key: String) -> [MapView] {
        guard let value = value(key) else { return [] }
        return maps(in: value, key: key)
    }

    /// As ``maps(_:)``, of a value that is in hand.
    func maps(in value: Value, key: String) -> [MapView] {
        guard let item = schema.child(key)?.anyItem ?? (key == "*" ? schema.anyName?.anyItem : nil) else { return [] }
        let itemPath = (schemaPath.isEmpty ? key : "\(schemaPath).\(key)") + "[]"
        switch value.node.content {
        case .map:
            return [
                MapView(
                    reading: reading, node: value.node, location: value.location, path: value.path, schema: item,
                    schemaPath: itemPath)
            ]
        case .list(let nodes):
            return nodes.enumerated().compactMap { index, node in
                let path = "\(value.path)[\(index)]"
                guard case .map = node.content else {
                    reading.refuse(
                        Value(node: node, path: path, kind: .section, isWritten: value.isWritten), expected: "a map")
                    return nil
                }
                return MapView(
                    reading: reading, node: node, location: node.location, path: path, schema: item,
                    schemaPath: itemPath)
            }
        case .text, .unusable:
            reading.refuse(value, expected: "a list of maps")
            return []
        }
    }

    /// The names in an open map at `key`, each with the value that it has, in the order written.
    func entries(_ key: String) -> [(name: String, location: Document.Location, value: Value)] {
        guard let value = value(key), let any = schema.child(key)?.anyName, let row = any.key else { return [] }
        reading.consult(row.path)
        guard case .map(let entries) = value.node.content else {
            reading.refuse(value, expected: "a map")
            return []
        }
        return entries.map { entry in
            let path = Problem.join(value.path, entry.key)
            return (
                entry.key, entry.location, Value(node: entry.value, path: path, kind: row.kind, isWritten: true)
            )
        }
    }

    /// The map that an entry of the open map at `key` has; nil after a complaint.
    func entryMap(_ key: String, _ value: Value) -> MapView? {
        guard let any = schema.child(key)?.anyName else { return nil }
        guard case .map = value.node.content else {
            reading.refuse(value, expected: "a map")
            return nil
        }
        return MapView(
            reading: reading, node: value.node, location: value.location, path: value.path, schema: any,
            schemaPath: "\(schemaPath.isEmpty ? "" : schemaPath + ".")\(key).*")
    }

    private func below(_ key: String, _ value: Value) -> MapView {
        MapView(
            reading: reading, node: value.node, location: value.location, path: value.path,
            schema: schema.child(key) ?? schema, schemaPath: schemaPath.isEmpty ? key : "\(schemaPath).\(key)")
    }

    private func empty(_ key: String) -> MapView {
        MapView(
            reading: reading, node: nil, location: location(of: key), path: Problem.join(path, key),
            schema: schema.child(key) ?? schema, schemaPath: schemaPath.isEmpty ? key : "\(schemaPath).\(key)")
    }
}

/// Defaults are written in the table as they would be in the file.
enum Defaults {
    static func node(_ text: String, at location: Document.Location) -> Document.Node {
        var reader = DocumentReader(file: location.file)
        guard let root = reader.read(Array(text.utf8))?.root else {
            return Document.Node(content: .unusable, location: location)
        }
        return moved(root, to: location)
    }

    /// A default stands where its key would.
    private static func moved(_ node: Document.Node, to location: Document.Location) -> Document.Node {
        var result = node
        result.location = location
        switch node.content {
        case .text, .unusable: break
        case .list(let items): result.content = .list(items.map { moved($0, to: location) })
        case .map(let entries):
            result.content = .map(
                entries.map { .init(key: $0.key, location: location, value: moved($0.value, to: location)) })
        }
        return result
    }
}
