public import Core

/// A password hash as it is stored: our own Argon2id, or one that another system made.
///
/// Parsing bounds what a run may cost (256 MiB, a few seconds), so that an imported hash cannot exhaust the machine at
/// each sign-in. A run takes tens of milliseconds and megabytes: it belongs on a bounded pool, never on a loop.
public struct PasswordHash: Sendable, Equatable {
    /// Which family it is of.
    public enum Scheme: String, Sendable, CaseIterable {
        case argon2id, argon2i, bcrypt
        /// bcrypt over a SHA-256 of the password: Django's, passlib's and Authelia's.
        case bcryptSHA256 = "bcrypt-sha256"
        case scrypt, pbkdf2
        /// crypt(3)'s `$5$` and `$6$`.
        case shaCrypt = "sha-crypt"
        case yescrypt
        /// Apache's `$apr1$`.
        case md5Crypt = "apr1"
    }

    enum Content: Sendable, Equatable {
        case argon2(Argon2Hash)
        case derived(DerivedHash)
        case crypt(CryptHash)
        case md5(MD5Crypt)
    }

    /// What is stored; ``parse(_:)`` reads it back.
    public let text: String
    /// Which family it is of.
    public let scheme: Scheme
    let content: Content

    init(text: String, scheme: Scheme, content: Content) {
        self.text = text
        self.scheme = scheme
        self.content = content
    }

    /// Makes an Argon2id hash with a new salt.
    ///
    /// - Throws: `randomUnavailable`, or `library` when there is not enough memory or the parameters are none.
    public static func make(
        _ password: SecretBytes, parameters: Argon2Parameters = .standard
    ) throws(CryptographyError) -> PasswordHash {
        let salt = try SecureRandom.bytes(Argon2Hash.saltBytes)
        let hash = try password.withUnsafeBytes { bytes throws(CryptographyError) in
            try Argon2Hash(password: bytes, parameters: parameters, salt: salt)
        }
        return PasswordHash(text: hash.text, scheme: .argon2id, content: .argon2(hash))
    }

    /// Compares in constant time at the end. A password that the scheme cannot take (for crypt's: a zero byte, more than
    /// 512 bytes) does not match.
    ///
    /// - Throws: `library` when there is not enough memory: that is no wrong password.
    public func verify(_ password: SecretBytes) throws(CryptographyError) -> Bool {
        try password.withUnsafeBytes { bytes throws(CryptographyError) in
            switch content {
            case .argon2(let hash): try hash.verify(bytes)
            case .derived(let hash): try hash.verify(bytes)
            case .crypt(let hash): try hash.verify(bytes)
            case .md5(let hash): try hash.verify(bytes)
            }
        }
    }

    /// Anything but Argon2id with exactly these parameters: one cost for all is also what makes an unknown user look
    /// like a known one.
    public func needsRehash(_ parameters: Argon2Parameters = .standard) -> Bool {
        guard case .argon2(let hash) = content else { return true }
        return hash.kind != .argon2id || hash.version != Argon2Hash.currentVersion || hash.parameters != parameters
    }

    /// What one run takes, roughly.
    public var memoryBytes: Int {
        switch content {
        case .argon2(let hash): Int(hash.parameters.memoryKiB) * 1024
        case .derived(let hash): Int(clamping: hash.memoryBytes)
        case .crypt(let hash): Int(clamping: hash.memoryBytes)
        case .md5: 0
        }
    }

    /// How much of a password the scheme looks at; nil: all of it. A longer one that matched is not proven behind it.
    public var significantBytes: Int? {
        if case .crypt(let hash) = content, hash.preparation == .first72Bytes { return 72 }
        return nil
    }

    public static func == (left: PasswordHash, right: PasswordHash) -> Bool { left.text == right.text }
}
