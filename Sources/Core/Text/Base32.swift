/// Base 32 (RFC 4648 section 6): how secrets of one-time passwords and backup codes are written for people.
public enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// Encodes `bytes` in upper case, without padding.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count * 8 + 4) / 5)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                result.append(alphabet[Int(window >> bits & 31)])
            }
            window &= 0xff
        }
        if bits > 0 { result.append(alphabet[Int(window << (5 - bits) & 31)]) }
        return String(decoding: result, as: UTF8.self)
    }

    /// Decodes text in either case, with or without padding at its end.
    ///
    /// - Returns: nil when `text` is not the encoding of any bytes.
    public static func decode(_ text: String) -> [UInt8]? {
        var characters = Array(text.utf8)
        while characters.last == UInt8(ascii: "=") { characters.removeLast() }
        // 1, 3 and 6 characters of a group end in the middle of a byte.
        guard ![1, 3, 6].contains(characters.count % 8) else { return nil }
        var result: [UInt8] = []
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for character in characters {
            guard let value = value(of: character) else { return nil }
            window = window << 5 | UInt32(value)
            bits += 5
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: window >> bits))
                window &= (1 << bits) - 1
            }
        }
        return window == 0 ? result : nil
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a")
        case UInt8(ascii: "2")...UInt8(ascii: "7"): character - UInt8(ascii: "2") + 26
        default: nil
        }
    }
}
