/// One value of a JSON text: where it stands, and how many nodes it takes up with all that is inside it.
///
/// ```
/// {"a":[1,2],"b":"x"}
/// nodes:  0 object (size 7)   1 key a   2 array (size 3)   3 1   4 2   5 key b   6 string x
/// ```
struct JSONNode: Sendable {
    enum Kind: UInt8, Sendable {
        case object, array, string, escapedString, integer, number, yes, no, null
    }

    let kind: Kind
    /// The first byte; of a string the first one after the quotation mark.
    let start: UInt32
    /// One past the last byte; of a string the closing quotation mark.
    var end: UInt32
    /// The nodes of this value, itself included.
    var size: UInt32
}

/// A text that was read, with its nodes; shared by all values of the text.
final class JSONText: Sendable {
    let bytes: [UInt8]
    let nodes: [JSONNode]

    init(bytes: [UInt8], nodes: [JSONNode]) {
        self.bytes = bytes
        self.nodes = nodes
    }

    /// The UTF-8 of a string or key, with its escapes resolved.
    func utf8(of node: JSONNode) -> [UInt8] {
        let raw = bytes[Int(node.start)..<Int(node.end)]
        return node.kind == .escapedString ? JSONEscapes.resolve(raw) : Array(raw)
    }

    /// Compares a string or key with UTF-8; makes nothing when there are no escapes.
    func equals(_ node: JSONNode, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        if node.kind == .escapedString { return utf8(of: node).elementsEqual(text) }
        let bytes = bytes
        return Self.holds(bytes.span, node, text)
    }

    /// Where in an object the key of this name stands; nil when there is none.
    ///
    /// - Parameters:
    ///   - first: the node behind the object's own.
    ///   - end: one past the object's last node.
    func key(_ name: UnsafeBufferPointer<UInt8>, from first: Int, to end: Int) -> Int? {
        // Lent, not copied: a token's claims are asked for two dozen times.
        bytes.withUnsafeBufferPointer { bytes in
            nodes.withUnsafeBufferPointer { nodes in
                var key = first
                while key < end {
                    let node = nodes[key]
                    let isName = node.kind == .escapedString ? equals(node, name) : Self.holds(bytes.span, node, name)
                    if isName { return key }
                    key += 1 + Int(nodes[key + 1].size)
                }
                return nil
            }
        }
    }

    /// A string without escapes is `text`.
    private static func holds(_ bytes: Span<UInt8>, _ node: JSONNode, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = Int(node.start)
        guard Int(node.end) - start == text.count else { return false }
        for index in 0..<text.count where bytes[start + index] != text[index] { return false }
        return true
    }
}

enum JSONEscapes {
    /// Resolves the escapes of a string that the reader has accepted.
    static func resolve(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            guard raw[index] == UInt8(ascii: "\\"), index + 1 < raw.endIndex else {
                result.append(raw[index])
                index += 1
                continue
            }
            let escape = raw[index + 1]
            index += 2
            guard escape == UInt8(ascii: "u") else {
                result.append(single(escape))
                continue
            }
            var scalar = unit(raw, at: index)
            index += 4
            if scalar & 0xfc00 == 0xd800 {
                scalar = 0x10000 + (scalar & 0x3ff) << 10 + unit(raw, at: index + 2) & 0x3ff
                index += 6
            }
            if let scalar = Unicode.Scalar(scalar) { result.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
        }
        return result
    }

    /// What the letter after a backslash stands for; itself for the quotation mark, the solidus and the backslash.
    private static func single(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    private static func unit(_ raw: ArraySlice<UInt8>, at index: Int) -> UInt32 {
        var value: UInt32 = 0
        for position in index..<(index + 4) where position < raw.endIndex {
            value = value << 4 | (hexDigit(raw[position]) ?? 0)
        }
        return value
    }

    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x37)
        case 0x61...0x66: UInt32(byte - 0x57)
        default: nil
        }
    }
}
