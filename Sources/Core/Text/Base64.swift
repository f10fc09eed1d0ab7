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
        let values = alphabet == .url ? urlValues : standardValues
        return text.withUnsafeBufferPointer { text in values.withUnsafeBufferPointer { decode(text, by: $0) } }
    }

    /// - Parameters:
    ///   - text: its length has been looked at.
    ///   - values: one for each of the 256 bytes there are.
    private static func decode(_ text: UnsafeBufferPointer<UInt8>, by values: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        // All values together: one of a character that is none has a bit that no other has.
        var seen: UInt8 = 0
        // What the last character says beyond the last byte.
        var stray: UInt8 = 0
        let result = [UInt8](unsafeUninitializedCapacity: text.count * 3 / 4) { out, count in
            count = text.count * 3 / 4
            // Four characters at a time are three bytes.
            let groups = text.count / 4
            for group in 0..<groups {
                let first = values[Int(text[4 * group])]
                let second = values[Int(text[4 * group + 1])]
                let third = values[Int(text[4 * group + 2])]
                let fourth = values[Int(text[4 * group + 3])]
                seen |= first | second | third | fourth
                out[3 * group] = first << 2 | second >> 4
                out[3 * group + 1] = second << 4 | third >> 2
                out[3 * group + 2] = third << 6 | fourth
            }
            // Two or three characters may be left.
            guard text.count > 4 * groups else { return }
            let first = values[Int(text[4 * groups])]
            let second = values[Int(text[4 * groups + 1])]
            seen |= first | second
            out[3 * groups] = first << 2 | second >> 4
            stray = second << 4
            guard text.count > 4 * groups + 2 else { return }
            let third = values[Int(text[4 * groups + 2])]
            seen |= third
            out[3 * groups + 1] = stray | third >> 2
            stray = third << 6
        }
        return seen & none == 0 && stray == 0 ? result : nil
    }

    /// Set in the value of every byte that is no character of an alphabet.
    private static let none: UInt8 = 0x80
    private static let standardValues = values(of: standardAlphabet)
    private static let urlValues = values(of: urlAlphabet)

    /// What each of the 256 bytes stands for.
    private static func values(of alphabet: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: none, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }
}
