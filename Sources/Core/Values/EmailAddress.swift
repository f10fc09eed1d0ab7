/// An e-mail address in the one form that Gatehouse knows: an unquoted ASCII local part (RFC 5321 `Dot-string`), one
/// `@`, and a domain of LDH labels with at least one dot, or `localhost`. Quoted local parts, comments, address
/// literals and bytes outside ASCII are refused: readers of those disagree.
public struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
    /// The part before `@`, as written.
    public let localPart: String
    /// The part after `@`, lower case.
    public let domain: String

    /// - Returns: nil when `text` is not of the form above or longer than 254 bytes.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        // A second `@` would stand in the domain, whose labels have none.
        guard bytes.count <= 254, let at = bytes.firstIndex(of: UInt8(ascii: "@")), at <= 64,
            Self.isDotString(bytes[..<at])
        else { return nil }
        let domain = bytes[(at + 1)...].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        guard Self.isDomain(domain) else { return nil }
        localPart = String(decoding: bytes[..<at], as: UTF8.self)
        self.domain = String(decoding: domain, as: UTF8.self)
    }

    /// What two spellings of one mailbox share: all of it in lower case. Used for look-ups and counters.
    public var canonical: String { localPart.lowercased() + "@" + domain }

    /// The address as written, its domain in lower case.
    public var description: String { localPart + "@" + domain }

    public static func == (left: EmailAddress, right: EmailAddress) -> Bool {
        left.canonical == right.canonical
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(canonical)
    }

    /// Atoms with one dot between each two (RFC 5321 section 4.1.2).
    private static func isDotString(_ bytes: ArraySlice<UInt8>) -> Bool {
        var isInAtom = false
        for byte in bytes {
            if byte == UInt8(ascii: ".") {
                guard isInAtom else { return false }
                isInAtom = false
            } else {
                guard isAtomText(byte) else { return false }
                isInAtom = true
            }
        }
        return isInAtom
    }

    private static func isAtomText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
        }
    }

    /// Labels of letters in lower case, digits and hyphens, none of these at either end; at least two.
    private static func isDomain(_ bytes: [UInt8]) -> Bool {
        let dot = UInt8(ascii: ".")
        let hyphen = UInt8(ascii: "-")
        var labels = 1
        var length = 0
        var previous = dot
        for byte in bytes {
            switch byte {
            case dot:
                guard length > 0, previous != hyphen else { return false }
                labels += 1
                length = 0
            case 0x30...0x39, 0x61...0x7a, hyphen:
                guard length < 63, byte != hyphen || length > 0 else { return false }
                length += 1
            default: return false
            }
            previous = byte
        }
        guard length > 0, previous != hyphen else { return false }
        return labels >= 2 || bytes.elementsEqual("localhost".utf8)
    }
}
