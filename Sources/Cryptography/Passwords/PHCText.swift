internal import Core

/// The pieces of which hashes in PHC string form and its relatives are made.
enum PHCText {
    /// `m=1,t=2,p=3` as numbers, exactly these names in this order.
    static func numbers(_ text: Substring, named names: [String]) -> [UInt32]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == names.count else { return nil }
        var result: [UInt32] = []
        for (part, name) in zip(parts, names) {
            guard part.hasPrefix(name + "="), let number = UInt32(decimal: part.dropFirst(name.utf8.count + 1)) else {
                return nil
            }
            result.append(number)
        }
        return result
    }

    /// Base 64 without padding; stray bits in the last character are refused.
    static func bytes(_ text: Substring) -> [UInt8]? {
        text.contains("=") ? nil : Base64.decode(String(text))
    }

    /// passlib's form of it, with `.` in the place of `+`.
    static func adaptedBytes(_ text: Substring) -> [UInt8]? {
        text.contains("+") ? nil : bytes(Substring(String(text.map { $0 == "." ? "+" : $0 })))
    }

    static func text(_ bytes: [UInt8]) -> String {
        String(Base64.encode(bytes).prefix { $0 != "=" })
    }

    /// The bytes of the alphabet that crypt(3) writes.
    static func isCryptText(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x2e...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: false
            }
        }
    }

    /// The value of one character of crypt's base 64 (`./0-9A-Za-z`).
    static func cryptValue(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x2e...0x39: UInt32(byte - 0x2e)
        case 0x41...0x5a: UInt32(byte - 0x41 + 12)
        case 0x61...0x7a: UInt32(byte - 0x61 + 38)
        default: nil
        }
    }
}

extension FixedWidthInteger {
    /// Plain digits without sign, at most ten of them, and no zero in front.
    init?(decimal text: some StringProtocol) {
        guard (1...10).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count == 1 || text.utf8.first != 0x30
        else { return nil }
        self.init(text, radix: 10)
    }
}
