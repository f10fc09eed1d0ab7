public import Core

extension Settings {
    /// One of `login.providers`.
    public struct Provider: Sendable {
        /// `kind`.
        public enum Kind: String, Sendable, CaseIterable {
            case google, github, gitlab, microsoft, apple, oidc, oauth2
        }

        /// `accept`: all that are not nil must hold.
        public struct Acceptance: Sendable, Hashable {
            public var emails: [String]?
            public var domains: [String]?
            public var hostedDomains: [String]?
            public var groups: [String]?
            public var organizations: [String]?

            /// `anyone`.
            public var isOpen: Bool { self == Acceptance() }
        }

        /// In addresses and routes.
        public var id: String
        /// What it is.
        public var kind: Kind
        /// On the button.
        public var name: String
        /// Without a slash at its end for GitHub; for `oauth2` the origin of its user info unless written.
        public var issuer: String
        public var clientID: String
        /// Nil when secrets were left alone, and for Apple.
        public var clientSecret: SecretBytes?
        /// Apple's alone.
        public var signingKey: SigningKey?
        /// That of `oauth2` alone.
        public var oauth2: OAuth2?
        /// What is asked for.
        public var scopes: [String]
        /// Whom it may bring.
        public var acceptance: Acceptance
        /// A first accepted sign-in makes an account.
        public var createsUsers: Bool
        /// E-mail domains that it owns.
        public var claimedDomains: [String]
        /// What all its people get.
        public var addedGroups: [String]
        /// The claim that groups are read from.
        public var groupsClaim: String
        /// Put before each group of the claim.
        public var groupsPrefix: String

        /// Its word that somebody reads a mailbox says that they are its owner today, without the operator having said of
        /// which domains. GitHub, gitlab.com and Apple once mailed a link, to whoever had the mailbox then; what plain
        /// OAuth 2.0 is spoken by is most often one of their kind, and nothing in it tells which.
        public var ownsAddresses: Bool { kind.ownsAddresses(issuer: issuer) }

        /// The address that is registered there.
        ///
        /// - Parameter publicURL: of this configuration.
        public func redirectURI(_ publicURL: Origin) -> String { "\(publicURL)/.auth/oauth/\(id)/callback" }
    }
}
