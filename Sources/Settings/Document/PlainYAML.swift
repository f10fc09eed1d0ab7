internal import Yams

/// YAML of another program, as text in maps and lists: nothing is typed by guessing.
public struct PlainYAML {
    private let node: Node

    /// - Returns: nil when it is no YAML.
    public init?(_ text: String) {
        guard let node = try? Yams.compose(yaml: text) else { return nil }
        self.node = node
    }

    private init(_ node: Node) {
        self.node = node
    }

    /// The value of a key; nil when there is none or this is no map.
    public subscript(key: String) -> PlainYAML? {
        node.mapping?.first { $0.key.scalar?.string == key }.map { PlainYAML($0.value) }
    }

    /// The keys and values of a map with the lines that they stand in; nil when it is none.
    public var entries: [(key: String, line: Int, value: PlainYAML)]? {
        node.mapping?.map { entry in
            (entry.key.scalar?.string ?? "", entry.key.mark?.line ?? 0, PlainYAML(entry.value))
        }
    }

    /// What is in a list; a single text is a list of one.
    public var items: [PlainYAML] {
        if let sequence = node.sequence { return sequence.map { PlainYAML($0) } }
        return node.scalar == nil ? [] : [self]
    }

    /// What is in a list with the lines that it stands in; nil when it is none.
    public var list: [(line: Int, value: PlainYAML)]? {
        node.sequence?.map { ($0.mark?.line ?? 0, PlainYAML($0)) }
    }

    /// The text of a scalar as it is written; nil for `null` and for what is none.
    public var text: String? {
        guard let scalar = node.scalar else { return nil }
        let isPlain = scalar.style == .plain || scalar.style == .any
        return isPlain && ["", "~", "null"].contains(scalar.string) ? nil : scalar.string
    }
}
