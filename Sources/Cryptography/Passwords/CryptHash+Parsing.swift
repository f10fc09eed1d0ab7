internal import Core

extension CryptHash {
    /// `$2a$`, `$2b$`, `$2y$`: cost, 22 characters of salt, 31 of digest.
    static func bcrypt(
        _ text: String, preparation: Preparation = .first72Bytes
    ) throws(PasswordHashRefusal) -> CryptHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[2].utf8.count == 2, let cost = UInt32(parts[2]), (4...31).contains(cost),
            parts[3].utf8.count == 53, PHCText.isCryptText(parts[3])
        else { throw .malformed("bcrypt") }
        guard cost <= 15 else { throw .tooCostly("bcrypt", "cost 15") }
        return CryptHash(setting: text, preparation: preparation, memoryBytes: 0)
    }

    /// passlib's and Authelia's `$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`.
    static func keyedBcrypt(_ text: String) throws(PasswordHashRefusal) -> CryptHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[2].hasPrefix("v=2,t=2b,r="), let cost = UInt32(decimal: parts[2].dropFirst(11)),
            parts[3].utf8.count == 22
        else { throw .malformed("bcrypt-sha256") }
        let padded = cost < 10 ? "0\(cost)" : "\(cost)"
        return try bcrypt(
            "$2b$\(padded)$\(parts[3])\(parts[4])", preparation: .keyedSHA256(salt: Array(parts[3].utf8)))
    }

    /// `$5$` and `$6$`, with `rounds=` or without.
    static func sha(_ text: String) throws(PasswordHashRefusal) -> CryptHash {
        var parts = text.split(separator: "$", omittingEmptySubsequences: false)[...]
        let digestCharacters = parts[1] == "5" ? 43 : 86
        parts = parts.dropFirst(2)
        if let rounds = parts.first, rounds.hasPrefix("rounds=") {
            parts = parts.dropFirst()
            guard let number = UInt32(decimal: rounds.dropFirst(7)), number >= 1000 else {
                throw .malformed("SHA-crypt")
            }
            guard number <= 3_000_000 else { throw .tooCostly("SHA-crypt", "3,000,000 rounds") }
        }
        guard parts.count == 2, let salt = parts.first, let digest = parts.last, salt.utf8.count <= 16,
            salt.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }),
            digest.utf8.count == digestCharacters, PHCText.isCryptText(digest)
        else { throw .malformed("SHA-crypt") }
        return CryptHash(setting: text, preparation: .none, memoryBytes: 0)
    }

    /// `$7$`, one character log2 N, five each for r and p, the salt, `$`, the digest.
    static func scrypt(_ text: String) throws(PasswordHashRefusal) -> CryptHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        let head = Array((parts.count == 4 ? parts[2] : "").utf8)
        guard head.count >= 11, parts[3].utf8.count == 43, PHCText.isCryptText(parts[3]), PHCText.isCryptText(parts[2]),
            let cost = PHCText.cryptValue(head[0]), (1...24).contains(cost),
            let blockSize = fixedNumber(head[1..<6]), let lanes = fixedNumber(head[6..<11])
        else { throw .malformed("scrypt") }
        let function = DerivedHash.Function.scrypt(cost: 1 << UInt64(cost), blockSize: blockSize, lanes: lanes)
        try DerivedHash.requireAffordable(function)
        return CryptHash(setting: text, preparation: .none, memoryBytes: 128 * UInt64(blockSize) << UInt64(cost))
    }

    /// `$y$j9T$salt$digest`: the flavour, log2 N, r; what may stand behind them is not used by any system's passwd.
    static func yescrypt(_ text: String) throws(PasswordHashRefusal) -> CryptHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[4].utf8.count == 43, PHCText.isCryptText(parts[3]), PHCText.isCryptText(parts[4])
        else { throw .malformed("yescrypt") }
        var rest = Array(parts[2].utf8)[...]
        guard variableNumber(&rest, minimum: 0) != nil, let cost = variableNumber(&rest, minimum: 1),
            let blockSize = variableNumber(&rest, minimum: 1), cost <= 24, blockSize <= 1 << 10
        else { throw .malformed("yescrypt") }
        guard rest.isEmpty else { throw .tooCostly("yescrypt", "one lane, no extra time") }
        let memory = 128 * UInt64(blockSize) << UInt64(cost)
        guard memory <= DerivedHash.maximumMemory else { throw .tooCostly("yescrypt", "256 MiB") }
        return CryptHash(setting: text, preparation: .none, memoryBytes: memory)
    }

    // Six bits a character, the lowest first.
    private static func fixedNumber(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        var result: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            guard let value = PHCText.cryptValue(byte) else { return nil }
            result |= value << UInt32(6 * index)
        }
        return result
    }

    // yescrypt's numbers: the first character tells how many follow, and each length begins where the shorter one ends.
    private static func variableNumber(_ bytes: inout ArraySlice<UInt8>, minimum: UInt32) -> UInt32? {
        guard let first = bytes.popFirst(), let value = PHCText.cryptValue(first) else { return nil }
        var start: UInt32 = 0
        var end: UInt32 = 47
        var characters: UInt32 = 1
        var bits: UInt32 = 0
        var result = minimum
        while value > end {
            result += (end + 1 - start) << bits
            start = end + 1
            end = start + (62 - end) / 2
            characters += 1
            bits += 6
            guard characters <= 5 else { return nil }
        }
        result += (value - start) << bits
        while bits > 0 {
            guard let next = bytes.popFirst(), let value = PHCText.cryptValue(next) else { return nil }
            bits -= 6
            result += value << bits
        }
        return result
    }
}
