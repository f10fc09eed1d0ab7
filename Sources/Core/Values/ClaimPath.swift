/// Where a claim stands in somebody else's JSON document: a dotted path (`profile.emails.0`) or, with a slash in front, a
/// JSON pointer (RFC 6901), which reaches names with dots too (`/https:~1~1example.com~1groups`). A number is also an
/// index of a list.
public struct ClaimPath: Sendable, Hashable, CustomStringConvertible {
    /// The names and indexes, from the outside in; at least one.
    public let segments: [String]
    /// As it was written.
    public let description: String

    /// How many segments there may be.
    public static let maximumSegments = 8

    /// - Returns: nil for an empty segment of a dotted path, an escape that RFC 6901 does not know, control characters,
    ///   and more than 256 bytes or ``maximumSegments``.
    public init?(_ text: String) {
        guard (1...256).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { return nil }
        var segments: [String] = []
        if text.utf8.first == UInt8(ascii: "/") {
            for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
                guard let segment = Self.unescaped(part) else { return nil }
                segments.append(segment)
            }
        } else {
            segments = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard !segments.contains(where: \.isEmpty) else { return nil }
        }
        guard (1...Self.maximumSegments).contains(segments.count) else { return nil }
        self.segments = segments
        description = text
    }

    /// `~1` is a slash and `~0` a tilde; nothing else follows a tilde.
    private static func unescaped(_ part: Substring) -> String? {
        var bytes: [UInt8] = []
        var isEscape = false
        for byte in part.utf8 {
            if isEscape {
                switch byte {
                case UInt8(ascii: "0"): bytes.append(UInt8(ascii: "~"))
                case UInt8(ascii: "1"): bytes.append(UInt8(ascii: "/"))
                default: return nil
                }
                isEscape = false
            } else if byte == UInt8(ascii: "~") {
                isEscape = true
            } else {
                bytes.append(byte)
            }
        }
        return isEscape ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// A segment as the index of a list (RFC 6901 section 4); nil for everything else.
    public static func index(_ segment: String) -> Int? {
        let digits = segment.utf8
        guard (1...4).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        return Int(segment)
    }
}
