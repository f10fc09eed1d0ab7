internal import Core
internal import Cryptography

/// A user's password as it is stored.
struct PasswordRecord: JSONRecord, Equatable {
    /// The hash with its parameters (`$argon2id$…`, or another system's).
    var hash: String
    var changedAt: Timestamp
    /// SHA-256 of the hash as an import brought it; nil: it was chosen here.
    var imported: String?
    /// SHA-256 of the hash of the same password that ``hash`` was made in place of; nil: it is the first.
    var upgradedFrom: String?

    /// Hashes the same password anew.
    mutating func upgrade(to hash: String) {
        upgradedFrom = SHA256.digest(self.hash).hex
        self.hash = hash
    }

    /// Whether a password that fitted `hash` a moment ago is this one still. Of two sign-ins at the same instant the first
    /// may have hashed it anew: then the second has been held against the hash of before.
    func isStill(_ hash: String?) -> Bool {
        guard let hash else { return false }
        return hash == self.hash || upgradedFrom == SHA256.digest(hash).hex
    }
}
