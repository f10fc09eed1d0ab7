/// Digits, upper case, lower case: the alphabet of API keys, which a double click selects whole.
public enum Base62 {
    /// `0`…`9`, `A`…`Z`, `a`…`z`, in the order of their values.
    public static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// The number in base 62, most significant digit first, with leading zeros up to `width`.
    public static func encode(_ number: UInt64, width: Int) -> [UInt8] {
        var digits = [UInt8](repeating: alphabet[0], count: width)
        var rest = number
        var position = width
        while rest > 0, position > 0 {
            position -= 1
            digits[position] = alphabet[Int(rest % 62)]
            rest /= 62
        }
        precondition(rest == 0, "the number does not fit into \(width) base-62 digits")
        return digits
    }

    /// The byte is one of the alphabet.
    public static func contains(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }
}

/// Hexadecimal in lower case (RFC 4648 section 8).
public enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Two digits a byte.
    public static func encode(_ bytes: [UInt8]) -> String {
        let digits = digits
        return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for (index, byte) in bytes.enumerated() {
                buffer[index * 2] = digits[Int(byte >> 4)]
                buffer[index * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }

    /// As ``encode(_:)-([UInt8])``, of any bytes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        encode(Array(bytes))
    }

    /// Either case; nil when a character is no digit or one is left over.
    public static func decode(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 2 == 0 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(characters.count / 2)
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = IPAddress.hexDigit(characters[index]), let low = IPAddress.hexDigit(characters[index + 1])
            else { return nil }
            result.append(high << 4 | low)
        }
        return result
    }
}
