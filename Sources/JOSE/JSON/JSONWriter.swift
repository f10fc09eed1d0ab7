/// Writes one JSON object, its members in the order in which they are given and without white space.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.member("iss", "https://example.com")
/// writer.object("cnf") { $0.member("jkt", thumbprint) }
/// let payload = writer.finish()
/// ```
/// The caller sees to it that no name is given twice.
public struct JSONWriter {
    private var bytes: [UInt8]
    private var isFirst = true

    /// - Parameter capacity: how many bytes are expected.
    public init(capacity: Int = 512) {
        bytes = []
        bytes.reserveCapacity(capacity)
        bytes.append(UInt8(ascii: "{"))
    }

    /// The object.
    public consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// A string.
    public mutating func member(_ name: String, _ value: String) {
        begin(name)
        Self.append(value, to: &bytes)
    }

    /// A string, or no member at all.
    public mutating func member(_ name: String, _ value: String?) {
        if let value { member(name, value) }
    }

    /// An integer.
    public mutating func member(_ name: String, _ value: Int64) {
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// An integer.
    public mutating func member(_ name: String, _ value: Int) {
        member(name, Int64(value))
    }

    /// `true` or `false`.
    public mutating func member(_ name: String, _ value: Bool) {
        begin(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// An array of strings.
    public mutating func member(_ name: String, _ values: [String]) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            Self.append(value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// A nested object.
    public mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        begin(name)
        nest(body)
    }

    /// A nested array of objects, one for each of `elements`.
    public mutating func array<Elements: Sequence>(
        _ name: String, of elements: Elements, _ body: (inout JSONWriter, Elements.Element) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        var follows = false
        for element in elements {
            if follows { bytes.append(UInt8(ascii: ",")) }
            follows = true
            nest { body(&$0, element) }
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func nest(_ body: (inout JSONWriter) -> Void) {
        let wasFirst = isFirst
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        isFirst = wasFirst
    }

    private mutating func begin(_ name: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        Self.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// A string with its quotation marks; escaped is only what RFC 8259 section 7 asks for.
    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
