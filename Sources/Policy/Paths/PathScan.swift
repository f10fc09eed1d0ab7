/// What a raw path contains that gives it more than one spelling or reading.
struct PathTraits: OptionSet {
    let rawValue: UInt8

    static let escapes = PathTraits(rawValue: 1)
    static let parameters = PathTraits(rawValue: 2)
    static let encodedSlash = PathTraits(rawValue: 4)
    static let encodedBackslash = PathTraits(rawValue: 8)
    static let emptySegment = PathTraits(rawValue: 16)

    /// What a route must keep for such a path to be judged at all.
    var mustBeKept: KeptInPath {
        var kept: KeptInPath = []
        if contains(.encodedSlash) { kept.insert(.encodedSlash) }
        if contains(.encodedBackslash) { kept.insert(.encodedBackslash) }
        if contains(.emptySegment) { kept.insert(.emptySegment) }
        return kept
    }
}

/// The first look at a raw path: most are their own only canonical reading and are judged where they lie.
enum PathScan {
    /// One reading: the first `count` bytes as they are.
    case plain(count: Int)
    /// To be decoded.
    case encoded
    /// No path that may be judged. The parser refuses these already; a second net costs nothing here.
    case refused

    init(_ path: Span<UInt8>) {
        guard path.count > 0, path[0] == UInt8(ascii: "/") else {
            self = .refused
            return
        }
        var encoded = false
        var index = 1
        let count = path.count
        while index < count {
            let byte = path[index]
            if Self.isOrdinary(byte) {
                index += 1
                continue
            }
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: ";"): encoded = true
            case UInt8(ascii: "/"):
                if path[index - 1] == UInt8(ascii: "/") { encoded = true }
            case UInt8(ascii: "."):
                if path[index - 1] == UInt8(ascii: "/"), Self.isDotSegment(path, from: index) {
                    self = .refused
                    return
                }
            case 0x00...0x20, 0x7f...0xff, UInt8(ascii: "\\"), UInt8(ascii: "#"), UInt8(ascii: "?"):
                self = .refused
                return
            case _: break
            }
            index += 1
        }
        if encoded {
            self = .encoded
        } else {
            self = .plain(count: path[count - 1] == UInt8(ascii: "/") ? count - 1 : count)
        }
    }

    /// None of the bytes that the scan looks at, told by one bit of two words.
    @inline(__always)
    private static func isOrdinary(_ byte: UInt8) -> Bool {
        // 0x00...0x20 # % . / ; ? and \ DEL
        let low: UInt64 = 0x8800_c029_ffff_ffff
        let high: UInt64 = 0x8000_0000_1000_0000
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word >> UInt64(byte & 0x3f)) & 1 == 0
    }

    private static func isDotSegment(_ path: Span<UInt8>, from start: Int) -> Bool {
        var end = start
        while end < path.count, path[end] == UInt8(ascii: "."), end - start < 3 { end += 1 }
        return end - start < 3 && (end == path.count || path[end] == UInt8(ascii: "/"))
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        case _: nil
        }
    }
}
