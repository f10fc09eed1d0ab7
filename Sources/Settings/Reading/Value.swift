/// A value with its place, as a map handed it out.
struct Value {
    let node: Document.Node
    let path: String
    let kind: Key.Kind
    /// It stands in the file, and is no default.
    let isWritten: Bool

    var location: Document.Location { node.location }

    /// The text of a scalar; nil for anything else.
    var text: String? {
        guard case .text(let text, let quoted) = node.content, quoted || !text.isEmpty else { return nil }
        return text
    }

    /// Somebody has complained about it already.
    var isUnusable: Bool {
        if case .unusable = node.content { return true }
        return false
    }

    /// The items of a list; a single text is a list of one.
    var items: [Value]? {
        switch node.content {
        case .list(let nodes):
            nodes.enumerated().map { Value(node: $1, path: "\(path)[\($0)]", kind: kind.item, isWritten: isWritten) }
        case .text: text == nil ? nil : [self]
        case .map, .unusable: nil
        }
    }
}

extension Reading {
    /// Complains that `value` is not what its key takes.
    func refuse(_ value: Value, expected: String? = nil) {
        guard !value.isUnusable else { return }
        let expected = expected ?? value.kind.expectation
        if case .text("", quoted: false) = value.node.content {
            problem(value.location, value.path, "nothing is written here; expected \(expected), or leave the key out")
        } else {
            problem(value.location, value.path, "found \(value.node.found), expected \(expected)")
        }
    }

    /// Complains that `word` is none of `words`.
    func refuse(_ value: Value, _ word: String, among words: [String], expected: String? = nil) {
        let suggestion = Nearest.suggestion(for: word, among: words)
        problem(
            value.location, value.path,
            "found \(Document.Node.quote(word)), expected \(expected ?? value.kind.expectation)\(suggestion)")
    }
}
