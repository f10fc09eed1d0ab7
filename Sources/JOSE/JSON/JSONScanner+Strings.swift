extension JSONScanner {
    /// Reads a string from its opening to its closing quotation mark.
    mutating func string() throws(JOSEError) {
        position += 1
        let start = position
        var kind = JSONNode.Kind.string
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                nodes.append(JSONNode(kind: kind, start: UInt32(start), end: UInt32(position), size: 1))
                position += 1
                return
            case UInt8(ascii: "\\"):
                kind = .escapedString
                try escape()
            case 0..<0x20:
                throw malformed("a control character in a string")
            case 0x80...0xff:
                try multibyte()
            default:
                position += 1
            }
        }
        throw malformed("a string does not end")
    }

    private func byte(after offset: Int) -> UInt8 {
        position + offset < bytes.count ? bytes[position + offset] : 0
    }

    private mutating func escape() throws(JOSEError) {
        switch byte(after: 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            let unit = try unit()
            if unit & 0xfc00 == 0xdc00 { throw malformed("a lone surrogate") }
            guard unit & 0xfc00 == 0xd800 else { return }
            guard byte(after: 0) == UInt8(ascii: "\\"), byte(after: 1) == UInt8(ascii: "u"),
                try self.unit() & 0xfc00 == 0xdc00
            else { throw malformed("a lone surrogate") }
        default:
            throw malformed("an unknown escape")
        }
    }

    /// Reads `\uXXXX`.
    private mutating func unit() throws(JOSEError) -> UInt32 {
        var value: UInt32 = 0
        for offset in 2..<6 {
            guard let digit = JSONEscapes.hexDigit(byte(after: offset)) else { throw malformed("a bad \\u escape") }
            value = value << 4 | digit
        }
        position += 6
        return value
    }

    /// Reads one UTF-8 sequence of two to four bytes (RFC 3629 section 4).
    private mutating func multibyte() throws(JOSEError) {
        let second = byte(after: 1)
        let length: Int
        let secondAllowed: ClosedRange<UInt8>
        switch bytes[position] {
        case 0xc2...0xdf: (length, secondAllowed) = (2, 0x80...0xbf)
        case 0xe0: (length, secondAllowed) = (3, 0xa0...0xbf)
        case 0xed: (length, secondAllowed) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, secondAllowed) = (3, 0x80...0xbf)
        case 0xf0: (length, secondAllowed) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, secondAllowed) = (4, 0x80...0xbf)
        case 0xf4: (length, secondAllowed) = (4, 0x80...0x8f)
        default: throw malformed("invalid UTF-8")
        }
        guard secondAllowed.contains(second) else { throw malformed("invalid UTF-8") }
        for offset in 2..<max(length, 2) {
            guard byte(after: offset) & 0xc0 == 0x80 else { throw malformed("invalid UTF-8") }
        }
        position += length
    }
}

/// The names of one object so far. A few are compared one by one; many are found by a hash that is seeded per process,
/// so that nobody can choose names that collide.
struct JSONNames {
    private static let few = 16
    /// The node of the object itself; its names follow, each with its value.
    private let object: Int
    private var count = 0
    private var hashes: Set<Int> = []

    init(object: Int) {
        self.object = object
    }

    /// - Parameters:
    ///   - key: the last of `nodes`.
    /// - Returns: false when the name (with its escapes resolved) is there already.
    mutating func insert(_ key: Int, nodes: [JSONNode], bytes: [UInt8]) -> Bool {
        count += 1
        guard count > Self.few else { return !isAmongNames(key, nodes, bytes) }
        if hashes.isEmpty {
            forEachName(before: key, nodes) { hashes.insert(Self.hash(nodes[$0], bytes)) }
        }
        return hashes.insert(Self.hash(nodes[key], bytes)).inserted || !isAmongNames(key, nodes, bytes)
    }

    private func isAmongNames(_ key: Int, _ nodes: [JSONNode], _ bytes: [UInt8]) -> Bool {
        let nodes = nodes.span
        let text = bytes.span
        let node = nodes[key]
        var other = object + 1
        while other < key {
            let candidate = nodes[other]
            if node.kind == .string, candidate.kind == .string {
                if Self.equal(node, candidate, text) { return true }
            } else if Self.resolved(node, bytes) == Self.resolved(candidate, bytes) {
                return true
            }
            other += 1 + Int(nodes[other + 1].size)
        }
        return false
    }

    private func forEachName(before key: Int, _ nodes: [JSONNode], _ body: (Int) -> Void) {
        var other = object + 1
        while other < key {
            body(other)
            other += 1 + Int(nodes[other + 1].size)
        }
    }

    private static func equal(_ left: JSONNode, _ right: JSONNode, _ bytes: Span<UInt8>) -> Bool {
        let count = Int(left.end - left.start)
        guard Int(right.end - right.start) == count else { return false }
        for index in 0..<count where bytes[Int(left.start) + index] != bytes[Int(right.start) + index] { return false }
        return true
    }

    private static func hash(_ node: JSONNode, _ bytes: [UInt8]) -> Int {
        resolved(node, bytes).hashValue
    }

    private static func resolved(_ node: JSONNode, _ bytes: [UInt8]) -> ArraySlice<UInt8> {
        let raw = bytes[Int(node.start)..<Int(node.end)]
        return node.kind == .escapedString ? JSONEscapes.resolve(raw)[...] : raw
    }
}
