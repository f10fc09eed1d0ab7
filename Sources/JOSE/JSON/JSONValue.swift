/// A value of a JSON text that was read. Cheap to copy: a reference to the text and a place in it; strings are made only
/// when they are asked for.
public struct JSONValue: Sendable {
    private let text: JSONText
    private let index: Int

    init(text: JSONText, index: Int) {
        self.text = text
        self.index = index
    }

    private var node: JSONNode { text.nodes[index] }

    /// It is an object.
    public var isObject: Bool { node.kind == .object }
    /// It is an array.
    public var isArray: Bool { node.kind == .array }
    /// It is a string.
    public var isString: Bool { node.kind == .string || node.kind == .escapedString }
    /// It is `null`.
    public var isNull: Bool { node.kind == .null }

    /// The member of this name; nil when there is none, or this is no object.
    public subscript(name: String) -> JSONValue? {
        guard isObject else { return nil }
        var name = name
        return name.withUTF8 { member($0) }
    }

    private func member(_ name: UnsafeBufferPointer<UInt8>) -> JSONValue? {
        text.key(name, from: index + 1, to: index + Int(node.size)).map { JSONValue(text: text, index: $0 + 1) }
    }

    /// The names and values of an object, in their order; nil when this is none.
    public var members: [(name: String, value: JSONValue)]? {
        guard isObject else { return nil }
        var members: [(name: String, value: JSONValue)] = []
        let end = index + Int(node.size)
        var key = index + 1
        while key < end {
            let name = String(decoding: text.utf8(of: text.nodes[key]), as: UTF8.self)
            members.append((name, JSONValue(text: text, index: key + 1)))
            key += 1 + Int(text.nodes[key + 1].size)
        }
        return members
    }

    /// The elements of an array; nil when this is none.
    public var elements: [JSONValue]? {
        guard isArray else { return nil }
        var elements: [JSONValue] = []
        let end = index + Int(node.size)
        var element = index + 1
        while element < end {
            elements.append(JSONValue(text: text, index: element))
            element += Int(text.nodes[element].size)
        }
        return elements
    }

    /// The string; nil when this is none.
    public var string: String? {
        guard isString else { return nil }
        return String(decoding: text.utf8(of: node), as: UTF8.self)
    }

    /// The bytes of a string, with its escapes resolved; nil when this is none.
    public var utf8: [UInt8]? {
        isString ? text.utf8(of: node) : nil
    }

    /// It is this string, byte for byte (Swift's `==` would take differently composed characters for equal).
    public func equals(_ other: String) -> Bool {
        guard isString else { return false }
        var other = other
        return other.withUTF8 { text.equals(node, $0) }
    }

    /// The strings of an array; nil when this is none or has an element that is no string.
    public var strings: [String]? {
        guard let elements else { return nil }
        var strings: [String] = []
        for element in elements {
            guard let string = element.string else { return nil }
            strings.append(string)
        }
        return strings
    }

    /// `true` or `false`; nil for everything else.
    public var bool: Bool? {
        switch node.kind {
        case .yes: true
        case .no: false
        case .object, .array, .string, .escapedString, .integer, .number, .null: nil
        }
    }

    /// The number if it is written without fraction and exponent and fits.
    public var integer: Int64? {
        guard node.kind == .integer else { return nil }
        let isNegative = text.bytes[Int(node.start)] == UInt8(ascii: "-")
        var value: Int64 = 0
        for index in (Int(node.start) + (isNegative ? 1 : 0))..<Int(node.end) {
            let digit = Int64(text.bytes[index] & 0x0f)
            // Downwards, where there is one number more.
            let (tenfold, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (next, isBeyond) = tenfold.subtractingReportingOverflow(digit)
            guard !isTooLarge, !isBeyond else { return nil }
            value = next
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// The number, rounded to what a Double holds; nil when this is none or it is beyond what a Double holds.
    public var double: Double? {
        guard node.kind == .integer || node.kind == .number else { return nil }
        guard let value = Double(numberText), value.isFinite else { return nil }
        return value
    }

    private var numberText: String {
        String(decoding: text.bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }
}
