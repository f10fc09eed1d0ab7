internal import Core

extension DerivedHash {
    /// passlib's and Authelia's `$pbkdf2-sha512$310000$salt$digest`; without a suffix it is SHA-1.
    static func pbkdf2(_ text: String) throws(PasswordHashRefusal) -> DerivedHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, let iterations = UInt32(decimal: parts[2]),
            let salt = PHCText.adaptedBytes(parts[3]), let digest = PHCText.adaptedBytes(parts[4])
        else { throw .malformed("PBKDF2") }
        let function: PBKDF2Digest
        switch parts[1] {
        case "pbkdf2", "pbkdf2-sha1": function = .sha1
        case "pbkdf2-sha256": function = .sha256
        case "pbkdf2-sha512": function = .sha512
        default: throw PasswordHashRefusal(.unknown, "Of PBKDF2 only SHA-1, SHA-256 and SHA-512 are known.")
        }
        return try DerivedHash(.pbkdf2(function, iterations: iterations), salt, digest)
    }

    /// Django's `pbkdf2_sha256$iterations$salt$digest`; the salt is text.
    static func djangoPBKDF2(_ text: String) throws(PasswordHashRefusal) -> DerivedHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, let iterations = UInt32(decimal: parts[1]), !parts[2].isEmpty,
            let digest = Base64.decode(String(parts[3]))
        else { throw .malformed("PBKDF2") }
        let function: PBKDF2Digest = parts[0] == "pbkdf2_sha1" ? .sha1 : .sha256
        return try DerivedHash(.pbkdf2(function, iterations: iterations), Array(parts[2].utf8), digest)
    }

    /// passlib's and Authelia's `$scrypt$ln=16,r=8,p=1$salt$digest`.
    static func scrypt(_ text: String) throws(PasswordHashRefusal) -> DerivedHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, let cost = PHCText.numbers(parts[2], named: ["ln", "r", "p"]),
            (1...24).contains(cost[0]), let salt = PHCText.bytes(parts[3]), let digest = PHCText.bytes(parts[4])
        else { throw .malformed("scrypt") }
        return try DerivedHash(.scrypt(cost: 1 << UInt64(cost[0]), blockSize: cost[1], lanes: cost[2]), salt, digest)
    }

    /// Django's `scrypt$N$salt$r$p$digest`; the salt is text.
    static func djangoScrypt(_ text: String) throws(PasswordHashRefusal) -> DerivedHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, let cost = UInt64(decimal: parts[1]), !parts[2].isEmpty,
            let blockSize = UInt32(decimal: parts[3]), let lanes = UInt32(decimal: parts[4]),
            let digest = Base64.decode(String(parts[5]))
        else { throw .malformed("scrypt") }
        return try DerivedHash(
            .scrypt(cost: cost, blockSize: blockSize, lanes: lanes), Array(parts[2].utf8), digest)
    }

    private init(_ function: Function, _ salt: [UInt8], _ digest: [UInt8]) throws(PasswordHashRefusal) {
        guard salt.count <= 1024, (16...64).contains(digest.count) else { throw .malformed("password") }
        try Self.requireAffordable(function)
        self.function = function
        self.salt = salt
        self.digest = digest
    }
}
