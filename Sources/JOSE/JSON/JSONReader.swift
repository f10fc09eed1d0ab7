/// Reads JSON as RFC 8259 writes it and nothing else: bounded, with valid UTF-8, without lone surrogates, and without a
/// name that occurs twice in one object (two readers would see two different texts).
public enum JSONReader {
    /// Reads one whole text.
    ///
    /// - Throws: `malformed`, `tooLarge`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JOSEError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JOSEError(.tooLarge, "the JSON text has \(bytes.count) bytes, allowed are \(limits.bytes)")
        }
        var scanner = JSONScanner(bytes: bytes, maximumDepth: limits.depth)
        try scanner.scan()
        return JSONValue(text: JSONText(bytes: bytes, nodes: scanner.nodes), index: 0)
    }

    /// As ``parse(_:limits:)-([UInt8],_)``, from borrowed bytes.
    ///
    /// - Throws: `malformed`, `tooLarge`.
    public static func parse(_ bytes: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JOSEError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JOSEError(.tooLarge, "the JSON text has \(bytes.count) bytes, allowed are \(limits.bytes)")
        }
        return try parse(bytes.withUnsafeBufferPointer { Array($0) }, limits: limits)
    }
}

/// Recursive descent; the recursion is bounded by the depth.
struct JSONScanner {
    let bytes: [UInt8]
    let maximumDepth: Int
    var nodes: [JSONNode] = []
    var position = 0

    init(bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        nodes.reserveCapacity(min(bytes.count / 8 + 4, 256))
    }

    mutating func scan() throws(JOSEError) {
        skipSpace()
        try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw malformed("something follows the value") }
    }

    /// The byte at the position; zero, which is no part of JSON outside of strings, at the end.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    func malformed(_ what: StaticString) -> JOSEError {
        JOSEError(.malformed, "JSON, byte \(position): \(what)")
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(JOSEError) {
        switch current {
        case UInt8(ascii: "{"): try object(depth: depth + 1)
        case UInt8(ascii: "["): try array(depth: depth + 1)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true", .yes)
        case UInt8(ascii: "f"): try word("false", .no)
        case UInt8(ascii: "n"): try word("null", .null)
        default: try number()
        }
    }

    private mutating func open(_ kind: JSONNode.Kind, depth: Int) throws(JOSEError) -> Int {
        guard depth <= maximumDepth else {
            throw JOSEError(.tooLarge, "the JSON text is nested deeper than \(maximumDepth)")
        }
        nodes.append(JSONNode(kind: kind, start: UInt32(position), end: 0, size: 0))
        position += 1
        skipSpace()
        return nodes.count - 1
    }

    private mutating func close(_ index: Int) {
        position += 1
        nodes[index].end = UInt32(position)
        nodes[index].size = UInt32(nodes.count - index)
    }

    private mutating func array(depth: Int) throws(JOSEError) {
        let index = try open(.array, depth: depth)
        if current == UInt8(ascii: "]") { return close(index) }
        while true {
            try value(depth: depth)
            skipSpace()
            if current == UInt8(ascii: "]") { return close(index) }
            guard current == UInt8(ascii: ",") else { throw malformed("a comma or ] is missing") }
            position += 1
            skipSpace()
        }
    }

    private mutating func object(depth: Int) throws(JOSEError) {
        let index = try open(.object, depth: depth)
        if current == UInt8(ascii: "}") { return close(index) }
        var names = JSONNames(object: index)
        while true {
            guard current == UInt8(ascii: "\"") else { throw malformed("a name is missing") }
            let key = nodes.count
            try string()
            guard names.insert(key, nodes: nodes, bytes: bytes) else { throw malformed("a name occurs twice") }
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw malformed("a colon is missing") }
            position += 1
            skipSpace()
            try value(depth: depth)
            skipSpace()
            if current == UInt8(ascii: "}") { return close(index) }
            guard current == UInt8(ascii: ",") else { throw malformed("a comma or } is missing") }
            position += 1
            skipSpace()
        }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONNode.Kind) throws(JOSEError) {
        let start = position
        for offset in 0..<word.utf8CodeUnitCount {
            guard current == word.utf8Start[offset] else { throw malformed("not a value") }
            position += 1
        }
        nodes.append(JSONNode(kind: kind, start: UInt32(start), end: UInt32(position), size: 1))
    }

    private mutating func number() throws(JOSEError) {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        var kind = JSONNode.Kind.integer
        if current == UInt8(ascii: ".") {
            kind = .number
            position += 1
            try digits()
        }
        if current | 0x20 == UInt8(ascii: "e") {
            kind = .number
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        nodes.append(JSONNode(kind: kind, start: UInt32(start), end: UInt32(position), size: 1))
    }

    private mutating func digits() throws(JOSEError) {
        let start = position
        while case 0x30...0x39 = current { position += 1 }
        guard position > start else { throw malformed("not a value") }
    }
}
