/// A token, read as loosely as the most careless app behind us may read it: to know whose it says it is where our own
/// parser would not take it for a token at all.
///
/// Nothing is believed for what this finds. It is for refusing, and for taking out of a request what no app may hold: a
/// token without a signature, with a byte too many, in another alphabet or with a claim that occurs twice is no token
/// for us, and may be one for an app.
///
/// ```
///   any text  ──┐ cut at . , ; " ' and blanks
///               ├─► base 64 of either alphabet, without whatever belongs to none of them
///               │   (UTF-16 without its zero bytes)
///               └─► begins with { ?  the strings of the outermost members called "iss"
/// ```
public enum LooseToken {
    /// Whether one of the parts of `text` is an object. Looks at the first characters of each part only.
    public static func isLikely(_ text: Span<UInt8>) -> Bool {
        text.withUnsafeBufferPointer { text in
            var hasDot = false
            var hasObject = false
            forEachPart(of: text) { part, next in
                if next == UInt8(ascii: ".") { hasDot = true }
                if !hasObject { hasObject = beginsObject(part) }
            }
            return hasDot && hasObject
        }
    }

    /// Whether one of the parts of `text` is an object that names an issuer for which `isWanted` is true.
    ///
    /// - Parameter isWanted: gets the bytes of each issuer that is named, with their escapes resolved.
    public static func names(_ text: Span<UInt8>, _ isWanted: ([UInt8]) -> Bool) -> Bool {
        text.withUnsafeBufferPointer { text in
            var found = false
            forEachPart(of: text) { part, _ in
                guard !found, beginsObject(part) else { return }
                var object = LooseObject(bytes: decode(part))
                found = object.names(isWanted)
            }
            return found
        }
    }

    /// As ``names(_:_:)``, for one issuer.
    public static func names(_ text: Span<UInt8>, issuer: String) -> Bool {
        names(text) { $0.elementsEqual(issuer.utf8) }
    }

    /// Base 64 in either alphabet, or in both, without whatever belongs to neither.
    public static func decode(_ text: Span<UInt8>) -> [UInt8] {
        text.withUnsafeBufferPointer { decode($0) }
    }

    /// - Parameter body: gets each part and the byte behind it; zero at the end.
    private static func forEachPart(
        of text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>, UInt8) -> Void
    ) {
        var start = 0
        for end in 0...text.count {
            let next = end < text.count ? text[end] : 0
            guard end == text.count || isSeparator(next) else { continue }
            if end > start { body(UnsafeBufferPointer(rebasing: text[start..<end]), next) }
            start = end + 1
        }
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\""), UInt8(ascii: "'"), 0x20, 0x09:
            true
        default: false
        }
    }

    /// Whether the first byte that says anything is a brace.
    private static func beginsObject(_ part: UnsafeBufferPointer<UInt8>) -> Bool {
        var bits = LooseBits()
        for character in part {
            guard let byte = bits.take(character) else { continue }
            switch byte {
            // White space, zero bytes and what marks the order of bytes.
            case 0x20, 0x09, 0x0a, 0x0d, 0x00, 0xef, 0xbb, 0xbf, 0xfe, 0xff: continue
            default: return byte == UInt8(ascii: "{")
            }
        }
        return false
    }

    private static func decode(_ part: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var bits = LooseBits()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(part.count * 3 / 4)
        for character in part {
            if let byte = bits.take(character) { bytes.append(byte) }
        }
        return bytes
    }
}

/// Six bits a character become bytes.
private struct LooseBits {
    private var window: UInt32 = 0
    private var count = 0

    /// - Returns: a byte when one is whole.
    mutating func take(_ character: UInt8) -> UInt8? {
        let value: UInt8
        switch character {
        case 0x41...0x5a: value = character - 0x41
        case 0x61...0x7a: value = character - 0x61 + 26
        case 0x30...0x39: value = character - 0x30 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
        default: return nil
        }
        window = (window << 6 | UInt32(value)) & 0xffff
        count += 6
        guard count >= 8 else { return nil }
        count -= 8
        return UInt8(truncatingIfNeeded: window >> UInt32(count))
    }
}

/// Something like an object of JSON, of which only strings and nesting are looked at.
private struct LooseObject {
    private let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes.contains(0) ? bytes.filter { $0 != 0 } : bytes
    }

    mutating func names(_ isWanted: ([UInt8]) -> Bool) -> Bool {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                position += 1
            case UInt8(ascii: "\""):
                let name = string()
                guard depth <= 1, name.elementsEqual("iss".utf8), skips(UInt8(ascii: ":")), skipsSpace(),
                    current == UInt8(ascii: "\"")
                else { continue }
                if isWanted(string()) { return true }
            default: position += 1
            }
        }
        return false
    }

    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    private mutating func skipsSpace() -> Bool {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
        return true
    }

    private mutating func skips(_ byte: UInt8) -> Bool {
        _ = skipsSpace()
        guard current == byte else { return false }
        position += 1
        return true
    }

    /// From one quotation mark to behind the next; the escapes are resolved.
    private mutating func string() -> [UInt8] {
        var text: [UInt8] = []
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): text.append(contentsOf: escape())
            default: text.append(byte)
            }
        }
        return text
    }

    private mutating func escape() -> [UInt8] {
        guard position < bytes.count else { return [] }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return codeUnit()
        default: return [byte]
        }
    }

    /// Half of a pair is no character of any issuer's.
    private mutating func codeUnit() -> [UInt8] {
        let digits = String(decoding: bytes[position..<min(position + 4, bytes.count)], as: UTF8.self)
        guard digits.utf8.count == 4, let value = UInt32(digits, radix: 16) else { return [] }
        position += 4
        return Array(String(Character(Unicode.Scalar(value) ?? "\u{fffd}")).utf8)
    }
}
