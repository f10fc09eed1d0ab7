internal import Core

/// The fields of a form or a query (`application/x-www-form-urlencoded`), each at most once.
struct FormFields: Sendable {
    private var values: [String: String] = [:]

    /// None.
    init() {}

    /// Reads `name=value&…`; nil when a name comes twice, an escape is none, or something is no UTF-8: what two readers
    /// could read differently is not read at all.
    init?(parsing bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        for pair in bytes.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(parts[0]), values[name] == nil,
                let value = parts.count > 1 ? Self.decode(parts[1]) : ""
            else { return nil }
            values[name] = value
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// A value as it stands in a query: whatever is not a letter, a digit or one of `-._~` by its bytes. Of a long one
    /// only what a query would be misread by, so that an address that came in a target fits into one again.
    static func escape(_ text: String) -> String {
        let escaped = QueryValue.escaped(text.utf8, sparingly: false)
        return escaped.utf8.count <= QueryValue.usual ? escaped : QueryValue.escaped(text.utf8, sparingly: true)
    }

    private static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): decoded.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
