internal import Core

extension PasswordHash {
    /// Reads a hash of any known system. `{CRYPT}` in front (LDAP's and Authelia's) is taken off, as is Django's
    /// `argon2` and `bcrypt`.
    ///
    /// - Throws: with the reason, in words for the operator who imports it.
    public static func parse(_ text: String) throws(PasswordHashRefusal) -> PasswordHash {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw PasswordHashRefusal(.unknown, "A password hash is at most 2048 printable ASCII characters.")
        }
        let bare = withoutPrefix(text)
        if bare.hasPrefix("$") { return try modular(bare) }
        if bare.hasPrefix("pbkdf2_sha256$") || bare.hasPrefix("pbkdf2_sha1$") {
            return PasswordHash(text: bare, scheme: .pbkdf2, content: .derived(try DerivedHash.djangoPBKDF2(bare)))
        }
        if bare.hasPrefix("scrypt$") {
            return PasswordHash(text: bare, scheme: .scrypt, content: .derived(try DerivedHash.djangoScrypt(bare)))
        }
        if bare.hasPrefix("bcrypt_sha256$") {
            let hash = try CryptHash.bcrypt(try bcryptText(bare.dropFirst(14)), preparation: .sha256Digits)
            return PasswordHash(text: bare, scheme: .bcryptSHA256, content: .crypt(hash))
        }
        throw refusal(bare)
    }

    private static func withoutPrefix(_ text: String) -> String {
        if text.prefix(7).uppercased() == "{CRYPT}" { return String(text.dropFirst(7)) }
        for prefix in ["argon2$argon2", "bcrypt$$2"] where text.hasPrefix(prefix) {
            // Django writes its own name for the method before the hash of somebody else's form.
            return String(text.dropFirst(prefix == "bcrypt$$2" ? 7 : 6))
        }
        return text
    }

    private static func bcryptText(_ text: Substring) throws(PasswordHashRefusal) -> String {
        guard ["$2a$", "$2b$", "$2y$"].contains(where: text.hasPrefix) else { throw .malformed("bcrypt") }
        return String(text)
    }

    private static func modular(_ text: String) throws(PasswordHashRefusal) -> PasswordHash {
        let method = text.dropFirst().prefix { $0 != "$" }
        switch method {
        case "argon2id", "argon2i", "argon2d":
            let hash = try Argon2Hash(parsing: text)
            return PasswordHash(
                text: text, scheme: hash.kind == .argon2id ? .argon2id : .argon2i, content: .argon2(hash))
        case "2a", "2b", "2y":
            return PasswordHash(text: text, scheme: .bcrypt, content: .crypt(try CryptHash.bcrypt(text)))
        case "bcrypt-sha256":
            let hash = try CryptHash.keyedBcrypt(text)
            return PasswordHash(text: text, scheme: .bcryptSHA256, content: .crypt(hash))
        case "scrypt":
            return PasswordHash(text: text, scheme: .scrypt, content: .derived(try DerivedHash.scrypt(text)))
        case "7": return PasswordHash(text: text, scheme: .scrypt, content: .crypt(try CryptHash.scrypt(text)))
        case "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
            return PasswordHash(text: text, scheme: .pbkdf2, content: .derived(try DerivedHash.pbkdf2(text)))
        case "5", "6": return PasswordHash(text: text, scheme: .shaCrypt, content: .crypt(try CryptHash.sha(text)))
        case "y": return PasswordHash(text: text, scheme: .yescrypt, content: .crypt(try CryptHash.yescrypt(text)))
        case "apr1": return PasswordHash(text: text, scheme: .md5Crypt, content: .md5(try MD5Crypt(parsing: text)))
        default: throw refusal(text)
        }
    }

    /// The forms that are known and not taken.
    private static func refusal(_ text: String) -> PasswordHashRefusal {
        let upper = text.uppercased()
        if text.hasPrefix("$1$") { return .tooWeak("MD5-crypt ($1$)") }
        if upper.hasPrefix("{SHA}") || upper.hasPrefix("{SSHA") { return .tooWeak("SHA-1 ({SHA}, {SSHA})") }
        if upper.hasPrefix("{MD5}") || upper.hasPrefix("{SMD5}") { return .tooWeak("MD5 ({MD5}, {SMD5})") }
        if text.hasPrefix("md5$") || text.hasPrefix("sha1$") || text.hasPrefix("unsalted_") {
            return .tooWeak("Django's old MD5 and SHA-1")
        }
        if text.hasPrefix("$2x$") || text.hasPrefix("$2$") {
            return PasswordHashRefusal(
                .tooWeak, "The bcrypt form \(text.prefix(text.hasPrefix("$2$") ? 3 : 4)) comes from faulty programs.")
        }
        if text.utf8.count == 13, PHCText.isCryptText(Substring(text)) { return .tooWeak("DES-crypt") }
        if text.hasPrefix("!") || text.hasPrefix("*") {
            return PasswordHashRefusal(.unknown, "This marks an account that has no password.")
        }
        return PasswordHashRefusal(
            .unknown,
            "This is no known password hash: Argon2, bcrypt, scrypt, PBKDF2, SHA-crypt, yescrypt and apr1 are taken.")
    }
}
