/// Why a sign-in at a provider led to nobody. Equality is on the code.
public struct FlowFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind it was; its text is what the audit log says.
    public enum Code: String, Sendable, CaseIterable {
        /// The person, or the provider for them, said no.
        case denied
        /// Another error that the provider sent back with the browser.
        case answeredWithError = "provider_error"
        /// The answer that the browser brought is not one (RFC 6749 section 4.1.2).
        case malformedAnswer = "malformed_answer"
        /// The answer names another issuer, or none where it must (RFC 9207).
        case wrongIssuer = "wrong_issuer"
        /// The provider could not be reached in time, or its answer was too long or of no use.
        case unavailable = "provider_unavailable"
        /// What the provider says of itself cannot be used.
        case badMetadata = "bad_metadata"
        /// The provider did not take the code, or did not take us.
        case codeRefused = "code_refused"
        /// The token answer is not what RFC 6749 section 5.1 asks for.
        case malformedTokens = "malformed_tokens"
        /// The ID token is missing, is not signed as it must be, or has claims that do not fit.
        case badToken = "bad_id_token"
        case tokenExpired = "id_token_expired"
        case wrongNonce = "wrong_nonce"
        case wrongAudience = "wrong_audience"
        /// `at_hash` does not fit the access token.
        case wrongTokenHash = "wrong_at_hash"
        /// The person was to prove themselves anew, and has not.
        case tooOld = "too_old"
        /// The user info is of no use.
        case badUserInfo = "bad_userinfo"
        /// The user info is somebody else's.
        case otherSubject = "other_subject"
        /// `accept` does not let this person in.
        case notAccepted = "not_accepted"
    }

    /// What kind it was.
    public let code: Code
    /// What happened, for the log; holds no credential.
    public let message: String

    /// Whom `accept` does not let in, although the provider has proved who they are; nil for every other failure.
    public let person: RefusedPerson?

    /// Somebody whom a provider has brought and may not bring (any more).
    public struct RefusedPerson: Sendable, Equatable {
        public let issuer: String
        public let subject: String
    }

    /// The system gave no random bytes, so nothing can begin.
    public static let noRandomness = FlowFailure(.unavailable, "the system gave no random bytes")

    /// The key was not to be had by which something could be said of a token.
    let lacksKey: Bool

    init(_ code: Code, _ message: String, person: RefusedPerson? = nil, lacksKey: Bool = false) {
        self.lacksKey = lacksKey
        self.person = person
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }

    public static func == (left: FlowFailure, right: FlowFailure) -> Bool { left.code == right.code }
}
