import HTTPWire
import NIOCore
import NIOHPACK

/// What a field of an answer in HTTP/2 has to be before it may become a line of HTTP/1.1 (RFC 9113 section 8.2). HPACK
/// carries any bytes: a line end in a value would be another line, and then another answer.
enum UpstreamFieldRules {
    /// An ordinary field: no pseudo-field, and none about the connection, which HTTP/2 does not have.
    static func isOrdinary(_ name: String, _ value: String) -> Bool {
        isName(name) && isValue(value) && !isConnectionSpecific(name)
    }

    /// A token without capitals.
    private static func isName(_ name: String) -> Bool {
        var isEmpty = true
        for byte in name.utf8 {
            guard isToken(byte), !(0x41...0x5a).contains(byte) else { return false }
            isEmpty = false
        }
        return !isEmpty
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x5e...0x7a, 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x7c, 0x7e: true
        default: false
        }
    }

    /// Without control bytes, and without blanks around it.
    static func isValue(_ value: String) -> Bool {
        var first = true
        var last: UInt8 = 0
        for byte in value.utf8 {
            guard byte >= 0x20 || byte == 0x09, byte != 0x7f else { return false }
            if first, byte == 0x20 || byte == 0x09 { return false }
            first = false
            last = byte
        }
        return last != 0x20 && last != 0x09
    }

    private static func isConnectionSpecific(_ name: String) -> Bool {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": true
        default: false
        }
    }
}
