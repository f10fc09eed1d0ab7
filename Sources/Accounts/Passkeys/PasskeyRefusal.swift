/// Why something that an authenticator has sent is not taken. Each has its own word in the audit log; whoever asks is
/// told no more than that it did not work.
enum PasskeyRefusal: String, Error, Sendable, CaseIterable {
    /// Not of the form that WebAuthn describes.
    case malformed = "passkey_malformed"
    /// Made for the other of the two ceremonies.
    case type = "passkey_type"
    /// Not a challenge of ours, used already, too old, or given to somebody else.
    case challenge = "passkey_challenge"
    case origin = "passkey_origin"
    /// In a frame of another site's page.
    case crossOrigin = "passkey_cross_origin"
    case relyingParty = "passkey_rp_id"
    case userPresence = "passkey_user_presence"
    case userVerification = "passkey_user_verification"
    /// The signature counter did not rise: there may be a copy.
    case counter = "passkey_counter"
    case signature = "passkey_signature"
    case algorithm = "passkey_algorithm"
    case attestation = "passkey_attestation"
    case unknown = "passkey_unknown"
    case otherUser = "passkey_other_user"
}
