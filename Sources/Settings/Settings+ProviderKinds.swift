public import Core

extension Settings.Provider {
    /// What Apple's client secrets are made of.
    public struct SigningKey: Sendable {
        /// `team_id`.
        public var teamID: String
        /// `key_id`.
        public var keyID: String
        /// `private_key`; nil when secrets were left alone.
        public var pem: SecretBytes?
    }

    /// What a provider of kind `oauth2` does not say of itself.
    public struct OAuth2: Sendable, Hashable {
        /// `token_endpoint_auth_method`.
        public enum Authentication: String, Sendable {
            case basic = "client_secret_basic"
            case post = "client_secret_post"
        }

        public var authorizationEndpoint: String
        public var tokenEndpoint: String
        public var userInfoEndpoint: String
        public var authentication: Authentication
        /// `claims.subject`, and so on.
        public var subject: ClaimPath
        public var email: ClaimPath
        /// Nil: nothing in its answers says that an address is verified.
        public var emailVerified: ClaimPath?
        public var name: ClaimPath
        /// `groups.claim`.
        public var groups: ClaimPath?
        /// The operator says that it verifies every address.
        public var emailTrusted: Bool

        /// Something says that an address is its owner's.
        var verifiesEmail: Bool { emailTrusted || emailVerified != nil }
    }
}
