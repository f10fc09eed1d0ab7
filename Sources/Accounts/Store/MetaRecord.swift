internal import Core
internal import LMDB

/// What there is one of, in table `meta`.
struct MetaRecord: JSONRecord, Equatable {
    /// A time, where the row is about one.
    var at: Timestamp?
    /// A text, where the row needs one.
    var text: String?

    /// Rewritten at every change of a signing key: what is made from the keys depends on this one row.
    static let signingKeys = "signing_keys"
    /// There from the server's start to its clean stop; holds the time of its last sign of life.
    static let running = "running"
    /// Which master key everything was last sealed under anew.
    static let masterKey = "master_key"
    /// Which master key a rotation has begun to seal under: who does not have it opens the store with no other.
    static let masterKeyInUse = "master_key_in_use"
    /// When ``Store/probe()`` last wrote.
    static let probe = "probe"
    /// The id of the mail that was last taken in hand.
    static let mailInHand = "mail_in_hand"
    /// The providers that groups are counted of, with what they add.
    static let providers = "providers"
    /// There while the accounts are being brought in line with ``providers``.
    static let providersPending = "providers_pending"

    /// There when an authenticator was taken over for an account from another system: once its owner or the operator has
    /// taken it away, no import brings it back, nor one before it.
    static func importedAuthenticator(of userID: String) -> String {
        "imported_authenticator:" + userID
    }

    /// When the last token that key `kid` signed ends.
    static func lastTokenEnd(of kid: String) -> String {
        "last_token_end:" + kid
    }
}
