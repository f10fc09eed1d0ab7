public import Core

/// What only some kinds of providers are configured with.
extension ProviderConfiguration {
    /// What Apple takes in place of a secret: tokens that the operator's key signs.
    public struct SigningKey: Sendable {
        /// The operator's team in Apple's console: `iss` of such a token.
        public var teamID: String
        /// `kid` of such a token.
        public var keyID: String
        /// The `.p8` file; nil when secrets were left alone.
        public var pem: SecretBytes?

        /// All fields, named as they are.
        public init(teamID: String, keyID: String, pem: SecretBytes?) {
            self.teamID = teamID
            self.keyID = keyID
            self.pem = pem
        }

        func isSame(as other: SigningKey) -> Bool {
            teamID == other.teamID && keyID == other.keyID
                && pem.map { Array($0.text.utf8) } == other.pem.map { Array($0.text.utf8) }
        }
    }

    /// A provider that speaks OAuth 2.0 alone: where it is, and what its answers mean.
    public struct OAuth2: Sendable, Hashable {
        /// How we say who we are at the token endpoint (RFC 6749 section 2.3.1).
        public enum Authentication: Sendable { case basic, post }

        public var authorizationEndpoint: String
        public var tokenEndpoint: String
        /// What an access token opens, and what says whose it is.
        public var userInfoEndpoint: String
        public var authentication: Authentication
        /// What never changes of a person and is never somebody else's.
        public var subject: ClaimPath
        public var email: ClaimPath
        /// What says that the person reads that mailbox; nil: nothing does.
        public var emailVerified: ClaimPath?
        public var name: ClaimPath
        public var groups: ClaimPath?
        /// The operator says that the provider verifies every address.
        public var emailTrusted: Bool

        /// All fields, named as they are.
        public init(
            authorizationEndpoint: String, tokenEndpoint: String, userInfoEndpoint: String,
            authentication: Authentication, subject: ClaimPath, email: ClaimPath, emailVerified: ClaimPath?,
            name: ClaimPath, groups: ClaimPath?, emailTrusted: Bool
        ) {
            self.authorizationEndpoint = authorizationEndpoint
            self.tokenEndpoint = tokenEndpoint
            self.userInfoEndpoint = userInfoEndpoint
            self.authentication = authentication
            self.subject = subject
            self.email = email
            self.emailVerified = emailVerified
            self.name = name
            self.groups = groups
            self.emailTrusted = emailTrusted
        }
    }

    /// What is the same for ``isSame(as:)`` of the fields that only some kinds have.
    func hasSameKind(as other: ProviderConfiguration) -> Bool {
        guard kind == other.kind, oauth2 == other.oauth2 else { return false }
        switch (signingKey, other.signingKey) {
        case (nil, nil): return true
        case (let one?, let two?): return one.isSame(as: two)
        case (nil, _?), (_?, nil): return false
        }
    }
}
