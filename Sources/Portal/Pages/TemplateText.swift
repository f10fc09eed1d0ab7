/// Templates as text: which tags stand in them, which forms, and what browsers would not take from us.
enum TemplateText {
    struct Tag: Equatable {
        enum Kind {
            case value, section, inverted, end, partial, comment
            /// `{{{name}}}` or `{{&name}}`.
            case unescaped
            case unclosed
            /// Other delimiters, pragmas, functions, inheritance.
            case other
        }

        var kind: Kind
        var name: String
        /// As it is written.
        var text: String
        var line: Int
    }

    struct Form: Equatable {
        var action: String
        var method: String
        /// `name=value` of hidden fields, the name of all others.
        var fields: Set<String>
    }

    /// All tags in their order.
    static func tags(of text: String) -> [Tag] {
        var tags: [Tag] = []
        var line = 1
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            line += rest[..<open.lowerBound].count { $0.isNewline }
            rest = rest[open.upperBound...]
            guard let close = rest.firstRange(of: "}}") else {
                tags.append(Tag(kind: .unclosed, name: "", text: "{{", line: line))
                break
            }
            tags.append(tag(rest[..<close.lowerBound], line))
            line += rest[..<close.lowerBound].count { $0.isNewline }
            rest = rest[close.upperBound...]
        }
        return tags
    }

    private static func tag(_ inner: Substring, _ line: Int) -> Tag {
        let kinds: [Character: Tag.Kind] = [
            "#": .section, "^": .inverted, "/": .end, ">": .partial, "!": .comment, "&": .unescaped, "{": .unescaped,
        ]
        let text = "{{\(inner)}}"
        let trimmed = inner.drop { $0.isWhitespace }
        guard let first = trimmed.first else { return Tag(kind: .other, name: "", text: text, line: line) }
        let kind = kinds[first] ?? .value
        if kind == .comment || kind == .unescaped { return Tag(kind: kind, name: "", text: text, line: line) }
        var name = kind == .value ? trimmed : trimmed.dropFirst().drop { $0.isWhitespace }
        while name.last?.isWhitespace == true { name = name.dropLast() }
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            }
        return Tag(kind: isName ? kind : .other, name: String(name), text: text, line: line)
    }

    /// The names that a template and what it includes ask for.
    static func names(in name: String, of all: [String: String]) -> Set<String> {
        Set(
            tags(of: expanded(name, in: all)).filter { [.value, .section, .inverted].contains($0.kind) }.map(\.name))
    }

    /// The template with what it includes in its place.
    static func expanded(_ name: String, in all: [String: String], depth: Int = 0) -> String {
        guard depth < 8, let text = all[name] else { return "" }
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            result += rest[..<open.lowerBound]
            let tag = tag(rest[open.upperBound..<close.lowerBound], 0)
            result += tag.kind == .partial ? expanded(tag.name, in: all, depth: depth + 1) : tag.text
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    // MARK: HTML

    /// What the Content-Security-Policy blocks: programs, styles in place, frames, what is fetched from elsewhere.
    static func blocked(in text: String) -> [(text: String, line: Int)] {
        var found: [(text: String, line: Int)] = []
        for element in elements(in: text) {
            if element.isOurProgram { continue }
            if ["script", "style", "iframe", "frame", "object", "embed", "base", "applet", "portal"].contains(
                element.name)
            {
                found.append(("<\(element.name)>", element.line))
            }
            if element.hasBareValue { found.append(("a value in a tag outside of quotes", element.line)) }
            for (name, value) in element.attributes {
                if isLink(name), let address = address(value), !addresses.contains(address) {
                    found.append(("\(name)=\"\(value)\"", element.line))
                    continue
                }
                let value = value.lowercased().filter { !$0.isWhitespace }
                if name == "style" || name.hasPrefix("on") || name == "srcdoc" || name == "formaction" {
                    found.append(("\(name)=", element.line))
                } else if value.contains("javascript:") || value.contains("vbscript:") {
                    found.append((name + "=\"" + value + "\"", element.line))
                } else if name == "src" || name == "srcset" || name == "poster"
                    || element.name == "link" && name == "href"
                {
                    let isOurs =
                        value.hasPrefix("{{") || value.hasPrefix("data:image/") && name == "src"
                        || value.hasPrefix("/.auth/")
                    if !isOurs { found.append((name + "=\"" + value + "\"", element.line)) }
                } else if element.name == "meta", name == "http-equiv" {
                    found.append(("<meta http-equiv>", element.line))
                }
            }
        }
        return found
    }

    /// The forms with their fields.
    static func forms(in text: String) -> [Form] {
        var forms: [Form] = []
        var current: Form?
        for element in elements(in: text) {
            switch element.name {
            case "form":
                if let current { forms.append(current) }
                current = Form(
                    action: element.attributes["action"] ?? "",
                    method: element.attributes["method"]?.lowercased() ?? "get",
                    fields: [])
            case "/form":
                if let current { forms.append(current) }
                current = nil
            case "input", "select", "textarea", "button":
                guard let name = element.attributes["name"] else { continue }
                let isHidden = element.attributes["type"]?.lowercased() == "hidden"
                current?.fields.insert(isHidden ? "\(name)=\(element.attributes["value"] ?? "")" : name)
            default: continue
            }
        }
        if let current { forms.append(current) }
        return forms
    }

    struct Element {
        /// In lower case; an end begins with `/`.
        var name: String
        var attributes: [String: String]
        var line: Int
        /// A value stands where escaping does not help: in a tag, outside of quotes.
        var hasBareValue = false

        /// The one program that our own pages name; the page decides whether it is there.
        var isOurProgram: Bool {
            name == "script" && !hasBareValue && attributes["src"] == "{{script}}"
                && Set(attributes.keys).isSubset(of: ["src", "defer"])
        }
    }

    private static func isLink(_ name: String) -> Bool { name == "href" || name == "src" || name == "action" }

    /// `{{name}}` at the beginning of an address that our own templates have there: others may hold what a stranger
    /// wrote, `javascript:` included.
    private static let addresses: Set<String> = Set(
        Templates.all.values.flatMap { elements(in: $0) }.flatMap { element in
            element.attributes.filter { isLink($0.key) }.compactMap { address($0.value) }
        })

    private static func address(_ value: String) -> String? {
        // Browsers leave blanks and controls in front of an address out.
        let value = String(Substring(value.unicodeScalars.drop { $0.value <= 0x20 }))
        guard value.hasPrefix("{{"), let end = value.firstRange(of: "}}") else { return nil }
        return String(value[..<end.upperBound])
    }

    /// Every start and end of an element, read as browsers read them as far as that matters here.
    static func elements(in text: String) -> [Element] {
        var elements: [Element] = []
        let bytes = Array(text.utf8)
        var position = 0
        var line = 1
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            guard bytes[position] == UInt8(ascii: "<") else {
                position += 1
                continue
            }
            var scan = ElementScan(bytes: bytes, position: position + 1)
            guard let element = scan.element(line) else {
                position += 1
                continue
            }
            elements.append(element)
            line += bytes[position..<scan.position].count { $0 == UInt8(ascii: "\n") }
            position = scan.position
        }
        return elements
    }
}

/// Reads one tag of HTML.
private struct ElementScan {
    let bytes: [UInt8]
    var position: Int

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private mutating func take(while condition: (UInt8) -> Bool) -> String {
        let start = position
        while let byte, condition(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Nil where a browser sees text.
    mutating func element(_ line: Int) -> TemplateText.Element? {
        var name = ""
        if byte == UInt8(ascii: "/") {
            name = "/"
            position += 1
        }
        if byte == UInt8(ascii: "{"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "{") {
            return TemplateText.Element(name: "", attributes: [:], line: line, hasBareValue: true)
        }
        guard let first = byte, (0x61...0x7a).contains(first | 0x20) else { return nil }
        name +=
            take {
                !Self.isBlank($0) && $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "{")
            }.lowercased()
        var attributes: [String: String] = [:]
        var hasBareValue = false
        while let byte, byte != UInt8(ascii: ">") {
            if Self.isBlank(byte) || byte == UInt8(ascii: "/") {
                position += 1
            } else if byte == UInt8(ascii: "{"), position + 1 < bytes.count, bytes[position + 1] == byte {
                hasBareValue = skipTag() || hasBareValue
            } else {
                let (name, value, isQuoted) = attribute()
                if !isQuoted, value.contains("{{") { hasBareValue = true }
                // The first one counts.
                if attributes[name] == nil { attributes[name] = value }
            }
        }
        if position < bytes.count { position += 1 }
        return TemplateText.Element(
            name: name, attributes: attributes, line: line, hasBareValue: hasBareValue)
    }

    /// A section's tag between attributes.
    ///
    /// - Returns: whether it is a value instead.
    private mutating func skipTag() -> Bool {
        let mark = position + 2 < bytes.count ? bytes[position + 2] : 0
        let isValue = !"#^/!".utf8.contains(mark)
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "}"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "}")
            {
                position += 2
                return isValue
            }
            position += 1
        }
        return isValue
    }

    private mutating func attribute() -> (name: String, value: String, isQuoted: Bool) {
        let start = position
        var name = take {
            !Self.isBlank($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "/")
                && $0 != UInt8(ascii: "{")
        }
        if position == start {
            position += 1
            name = "="
        }
        guard byte == UInt8(ascii: "=") else { return (name.lowercased(), "", true) }
        position += 1
        guard let quote = byte, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            return (name.lowercased(), take { !Self.isBlank($0) && $0 != UInt8(ascii: ">") }, false)
        }
        position += 1
        let value = take { $0 != quote }
        position += 1
        return (name.lowercased(), value, true)
    }
}
