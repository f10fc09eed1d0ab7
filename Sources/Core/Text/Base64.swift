/// Base 64 with the URL alphabet and without padding (RFC 4648 section 5, RFC 7515 section 2).
public enum Base64URL {
    /// Encodes `bytes`.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: Base64.encode(bytes, alphabet: Base64.urlAlphabet, padded: false), as: UTF8.self)
    }

    /// Decodes; strict: no padding, no white space, no stray bits in the last character.
    ///
    /// - Returns: nil when `text` is not the encoding of any bytes.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        Base64.decode(text, alphabet: .url)
    }

    /// As ``decode(_:)-(Span<UInt8>)``, from a string.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0.span) }
    }
}

/// Base 64 with the standard alphabet and padding (RFC 4648 section 4).
public enum Base64 {
    enum Alphabet {
        case standard, url
    }

    static let standardAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    static let urlAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Encodes `bytes`.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: encode(bytes, alphabet: standardAlphabet, padded: true), as: UTF8.self)
    }

    /// Decodes; padding may be absent (many clients of RFC 7617 leave it out) but not partial or misplaced.
    ///
    /// - Returns: nil when `text` is not the encoding of any bytes.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        var end = text.count
        while end > 0, text.count - end < 2, text[end - 1] == UInt8(ascii: "=") { end -= 1 }
        guard end == text.count || text.count % 4 == 0 else { return nil }
        return decode(text.extracting(0..<end), alphabet: .standard)
    }

    /// As ``decode(_:)-(Span<UInt8>)``, from a string.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0.span) }
    }

    static func encode(_ bytes: some Collection<UInt8>, alphabet: [UInt8], padded: Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                result.append(alphabet[Int(window >> bits & 0x3f)])
            }
        }
        if bits > 0 { result.append(alphabet[Int(window << (6 - bits) & 0x3f)]) }
        while padded, result.count % 4 != 0 { result.append(UInt8(ascii: "=")) }
        return result
    }

    static func decode(_ text: Span<UInt8>, alphabet: Alphabet) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count * 3 / 4)
        var window: UInt32 = 0
        var bits: UInt32 = 0
        for index in text.indices {
            guard let value = value(of: text[index], in: alphabet) else { return nil }
            window = window << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: window >> bits))
            }
        }
        guard window & ((1 << bits) - 1) == 0 else { return nil }
        return result
    }

    private static func value(of character: UInt8, in alphabet: Alphabet) -> UInt32? {
        switch character {
        case 0x41...0x5a: UInt32(character - 0x41)
        case 0x61...0x7a: UInt32(character - 0x61 + 26)
        case 0x30...0x39: UInt32(character - 0x30 + 52)
        case UInt8(ascii: "+") where alphabet == .standard, UInt8(ascii: "-") where alphabet == .url: 62
        case UInt8(ascii: "/") where alphabet == .standard, UInt8(ascii: "_") where alphabet == .url: 63
        default: nil
        }
    }
}
