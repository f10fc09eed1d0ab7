internal import Core

/// The text of an API key.
///
/// ```
///   gate_ | 43 random characters (256 bits) | CRC-32 of the 48 before, six digits     all of base 62
/// ```
enum APIKeyText {
    static let prefix = Array("gate_".utf8)
    static let randomCount = 43
    static let checksumCount = 6
    static let count = 5 + randomCount + checksumCount
    /// How much of a key is kept and shown, so that a person can tell keys apart.
    static let shownCount = 12

    /// The key with these random characters.
    static func make(random: [UInt8]) -> [UInt8] {
        let body = prefix + random
        return body + Base62.encode(UInt64(CRC32.checksum(body.span)), width: checksumCount)
    }

    /// It begins like a key of ours, and so is no other's.
    static func isOurs(_ bytes: Span<UInt8>) -> Bool {
        bytes.count >= 5 && bytes[0] == UInt8(ascii: "g") && bytes[1] == UInt8(ascii: "a")
            && bytes[2] == UInt8(ascii: "t") && bytes[3] == UInt8(ascii: "e") && bytes[4] == UInt8(ascii: "_")
    }

    /// Length, alphabet and checksum are right: worth a look-up. What a person mistyped is not.
    static func isWellFormed(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count == count, isOurs(bytes) else { return false }
        for index in prefix.count..<count where !Base62.contains(bytes[index]) { return false }
        var rest = UInt64(CRC32.checksum(bytes.extracting(0..<count - checksumCount)))
        for index in stride(from: count - 1, through: count - checksumCount, by: -1) {
            guard bytes[index] == Base62.alphabet[Int(rest % 62)] else { return false }
            rest /= 62
        }
        return true
    }
}
