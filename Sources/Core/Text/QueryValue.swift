/// Values as they stand in a query (RFC 3986 section 3.4), read as forms are.
public enum QueryValue {
    /// Values up to here are escaped in full: every reader understands that.
    public static let usual = 2048

    private static let digits = Array("0123456789ABCDEF".unicodeScalars)

    /// - Parameter sparingly: what a query may hold as it is stays as it is, but for what separates fields or stands for a
    ///   blank; otherwise every byte is escaped that is not unreserved (section 2.3).
    public static func escaped(_ bytes: some Sequence<UInt8>, sparingly: Bool) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes {
            if isUnreserved(byte) || sparingly && isPlainInQueries(byte) {
                text.append(Unicode.Scalar(byte))
            } else {
                text.append("%")
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        return String(text)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isPlainInQueries(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "?"), UInt8(ascii: "="), UInt8(ascii: ","),
            UInt8(ascii: ";"), UInt8(ascii: "@"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "*"),
            UInt8(ascii: "("), UInt8(ascii: ")"):
            true
        default: false
        }
    }
}
