/// One key of `gatehouse.yaml`, as the table in ``Schema`` describes it.
struct Key: Sendable {
    /// What a key takes, for messages and for telling secrets apart.
    enum Kind: Sendable, Equatable {
        /// Text whose form the key itself knows.
        case text(String)
        /// One text, or a list of texts.
        case texts(String)
        case boolean
        case integer
        case duration
        case size
        /// One of these words.
        case choice([String])
        /// One of these words, or a list of them.
        case choices([String])
        /// Text that must not be printed; may also come from a file or a credential.
        case secret
        /// A map or a list whose keys have rows of their own.
        case section
    }

    /// `[]` stands for any item of a list, `*` for any name in a map: `routes[].rules[].paths`, `upstreams.*.url`.
    let path: String
    let kind: Kind
    /// The default as it would be written; nil when the key is required or absent by default.
    let standard: String?
    /// One line for people.
    let summary: String

    init(_ path: String, _ kind: Kind, _ standard: String? = nil, _ summary: String) {
        self.path = path
        self.kind = kind
        self.standard = standard
        self.summary = summary
    }
}

extension Key.Kind {
    /// What is allowed, in words for a message.
    var expectation: String {
        switch self {
        case .text(let what): what
        case .texts(let what): "\(what), or a list of such"
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .duration: "a duration like 90s, 15m, 12h or 30d"
        case .size: "a size like 64KiB or 10MiB"
        case .choice(let words): Self.alternatives(words)
        case .choices(let words): "a list of " + Self.alternatives(words)
        case .secret: "{ file: PATH }, { credential: NAME } or { env: NAME }"
        case .section: "a map"
        }
    }

    /// The words of a choice; none for anything else.
    var words: [String] {
        switch self {
        case .choice(let words), .choices(let words): words
        case .text, .texts, .boolean, .integer, .duration, .size, .secret, .section: []
        }
    }

    /// What one item of a list takes.
    var item: Key.Kind {
        switch self {
        case .texts(let what): .text(what)
        case .choices(let words): .choice(words)
        case .text, .boolean, .integer, .duration, .size, .choice, .secret, .section: self
        }
    }

    private static func alternatives(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.joined() }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }
}

/// The keys as a tree, to walk along with a document.
final class SchemaNode: Sendable {
    /// The row of the table; nil for the root and for steps that have none.
    let key: Key?
    /// Names in the order of the table, with what is below them; `[]` and `*` are names here.
    let children: [(name: String, node: SchemaNode)]

    init(key: Key?, children: [(name: String, node: SchemaNode)]) {
        self.key = key
        self.children = children
    }

    func child(_ name: String) -> SchemaNode? {
        children.first { $0.name == name }?.node
    }

    /// What stands for any name in a map.
    var anyName: SchemaNode? { child("*") }
    /// What stands for any item of a list.
    var anyItem: SchemaNode? { child("[]") }
    /// The key names that are allowed in a map here.
    var names: [String] { children.map(\.name).filter { $0 != "*" && $0 != "[]" } }

    /// Builds the tree from rows; a row's parents need not come before it.
    static func tree(_ rows: [Key]) -> SchemaNode {
        build(rows.map { (path: steps($0.path), key: $0) }, depth: 0)
    }

    /// `a.b[].c` as `a`, `b`, `[]`, `c`.
    static func steps(_ path: String) -> [String] {
        path.split(separator: ".").flatMap { part -> [String] in
            var name = part
            var lists = 0
            while name.hasSuffix("[]") {
                name = name.dropLast(2)
                lists += 1
            }
            return [String(name)] + Array(repeating: "[]", count: lists)
        }
    }

    private static func build(_ rows: [(path: [String], key: Key)], depth: Int) -> SchemaNode {
        var order: [String] = []
        var groups: [String: [(path: [String], key: Key)]] = [:]
        for row in rows where row.path.count > depth {
            let name = row.path[depth]
            if groups[name] == nil { order.append(name) }
            groups[name, default: []].append(row)
        }
        let own = rows.first { $0.path.count == depth }?.key
        return SchemaNode(key: own, children: order.map { ($0, build(groups[$0] ?? [], depth: depth + 1)) })
    }
}
