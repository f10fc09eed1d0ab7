internal import Core

/// A user's password as it is stored.
struct PasswordRecord: JSONRecord, Equatable {
    /// The hash with its parameters (`$argon2id$…`, or another system's).
    var hash: String
    var changedAt: Timestamp
    /// SHA-256 of the hash as an import brought it; nil: it was chosen here.
    var imported: String?
}
