/// Classes of ASCII bytes as 128-bit sets: two words in registers instead of a table behind a once-check.
enum ByteClass {
    /// Digits, letters and ``!#$%&'*+-.^_`|~``: RFC 9110 section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        contains(byte, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    }

    /// Printable bytes of a path that need no second look: no blank, `"#"`, `"%"`, `"/"`, `";"`, `"?"`, backslash.
    @inline(__always)
    static func isPlainPath(_ byte: UInt8) -> Bool {
        contains(byte, low: 0x77FF_7FD6_0000_0000, high: 0x7FFF_FFFF_EFFF_FFFF)
    }

    /// Printable bytes but `"#"`: what a query may hold.
    @inline(__always)
    static func isQuery(_ byte: UInt8) -> Bool {
        contains(byte, low: 0xFFFF_FFF6_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
    }

    /// Letters, digits, `-`, `.` and `_`: what a host name may hold here.
    @inline(__always)
    static func isHostName(_ byte: UInt8) -> Bool {
        contains(byte, low: 0x03FF_6000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE)
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }

    /// C0 controls and DEL.
    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }

    /// The value of a hexadecimal digit, nil for any other byte.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    @inline(__always)
    private static func contains(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word &>> UInt64(byte & 63)) & 1 != 0
    }
}

extension UInt8 {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let percent: UInt8 = 0x25
    static let comma: UInt8 = 0x2C
    static let dash: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let equals: UInt8 = 0x3D
    static let question: UInt8 = 0x3F
    static let backslash: UInt8 = 0x5C
}

extension UnsafeRawPointer {
    /// The byte at a position; the caller has checked that it is inside the buffer.
    @inline(__always)
    func byte(_ position: Int) -> UInt8 { load(fromByteOffset: position, as: UInt8.self) }
}
