internal import Core
internal import JOSE

/// A sign-in at a provider that has begun: what is kept here while the browser is away. Its secrets are of this flow
/// alone and never in the browser's hands but for `state`.
///
/// ```
///   begin ─► browser to the provider ─► answer ─► code ─► tokens ─► ID token ─► user info ─► accepted? ─► person
///              state, nonce, challenge              verifier          nonce        sub
/// ```
public struct AuthorizationFlow: Sendable {
    /// The three secrets of a flow, each 43 characters of base64url.
    public struct Secrets: Sendable {
        /// Ties the answer to this flow.
        public let state: String
        /// Ties the ID token to this flow.
        public let nonce: String
        /// Ties the code to this flow (RFC 7636).
        public let verifier: String

        /// - Parameters: 256 bits each that nobody can guess.
        public init(state: String, nonce: String, verifier: String) {
            self.state = state
            self.nonce = nonce
            self.verifier = verifier
        }

        /// `code_challenge` of S256.
        var challenge: String { Self.challenge(of: verifier) }

        static func challenge(of verifier: String) -> String {
            let bytes = Array(verifier.utf8)
            return Base64URL.encode(TokenDigest.of(bytes.span).bytes)
        }
    }

    /// The provider's id.
    public let provider: String
    /// Where the browser goes.
    public let url: String
    /// `state`, by which the answer is found.
    public var state: String { secrets.state }
    let secrets: Secrets
    let redirectURI: String
    let metadata: ProviderMetadata
    /// The person must prove themselves anew, after this time.
    let provenAfter: Int64?

    init(
        _ configuration: ProviderConfiguration, _ metadata: ProviderMetadata, _ secrets: Secrets, redirectURI: String,
        provenAfter: Int64?
    ) {
        provider = configuration.id
        self.secrets = secrets
        self.redirectURI = redirectURI
        self.metadata = metadata
        self.provenAfter = provenAfter
        var fields = [
            ("response_type", "code"), ("client_id", configuration.clientID), ("redirect_uri", redirectURI),
            ("scope", configuration.scopesToAsk(metadata).joined(separator: " ")), ("state", secrets.state),
            ("code_challenge", secrets.challenge), ("code_challenge_method", "S256"),
        ]
        // A scope of nothing is none (RFC 6749 section 3.3).
        if configuration.scopes.isEmpty { fields.removeAll { $0.0 == "scope" } }
        // Apple tells name and address in no other way.
        if configuration.kind == .apple { fields.append(("response_mode", "form_post")) }
        if configuration.kind.speaksOpenIDConnect {
            fields.append(("nonce", secrets.nonce))
            if provenAfter != nil { fields += [("prompt", "login"), ("max_age", "0")] }
        }
        fields += configuration.fieldsForRefreshing(isAnew: provenAfter != nil)
        let separator = metadata.authorizationEndpoint.contains("?") ? "&" : "?"
        url = metadata.authorizationEndpoint + separator + FormText.encode(fields.map { (name: $0.0, value: $0.1) })
    }
}

/// Whether a client that comes for its tokens is the one that began (RFC 7636 section 4.6).
public enum CodeChallenge {
    /// The form of a challenge of S256.
    public static func isWellFormed(_ challenge: String) -> Bool {
        challenge.utf8.count == 43 && challenge.utf8.allSatisfy(isInBase64URL)
    }

    /// - Parameter verifier: as the client sent it.
    public static func holds(_ challenge: String, verifier: String) -> Bool {
        guard (43...128).contains(verifier.utf8.count), verifier.utf8.allSatisfy(isUnreserved) else { return false }
        return AuthorizationFlow.Secrets.challenge(of: verifier).utf8.elementsEqual(challenge.utf8)
    }

    private static func isInBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        isInBase64URL(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~")
    }
}
