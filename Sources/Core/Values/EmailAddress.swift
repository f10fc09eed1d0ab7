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
        guard bytes.count <= 254, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...64).contains(parts[0].utf8.count) else { return nil }
        let atoms = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard atoms.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isAtomText) }) else { return nil }
        let domain = parts[1].lowercased()
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2 || domain == "localhost", labels.allSatisfy(Self.isLabel) else { return nil }
        localPart = String(parts[0])
        self.domain = domain
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

    private static func isAtomText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
        }
    }

    private static func isLabel(_ label: Substring) -> Bool {
        let bytes = label.utf8
        return (1...63).contains(bytes.count) && bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-")
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x61...0x7a, UInt8(ascii: "-"): true
                default: false
                }
            }
    }
}
