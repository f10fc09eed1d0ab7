public import Core

/// Parts of the configuration that are about people who sign in.
extension Settings {
    /// `sessions`.
    public struct Sessions: Sendable, Hashable {
        /// `idle`: a session that is not used for so long ends.
        public var idle: Duration
        /// `lifetime`: however much it is used.
        public var lifetime: Duration
        /// `remember`: instead of both, where the person asked for it.
        public var remember: Duration
        /// `cookie.name`.
        public var cookieName: String
        /// `cookie.domain`: who else sees the session; nil: the portal's own host alone.
        public var cookieDomain: String?

        /// Browsers send the cookie to `host`.
        ///
        /// - Parameters:
        ///   - host: canonical; may begin with `*.`.
        ///   - portal: the host of `public_url`.
        func cookieReaches(_ host: String, portal: String) -> Bool {
            guard let cookieDomain else { return host == portal }
            return host == cookieDomain || host.hasSuffix("." + cookieDomain)
        }
    }

    /// `tokens`.
    public struct Tokens: Sendable, Hashable {
        /// `access_lifetime`.
        public var accessLifetime: Duration
        /// `refresh_lifetime`.
        public var refreshLifetime: Duration
    }

    /// `login.passkeys`.
    public struct Passkeys: Sendable, Hashable {
        /// How much an authenticator must know of who holds it.
        public enum UserVerification: String, Sendable, CaseIterable {
            case required, preferred, discouraged
        }

        /// `enabled`.
        public var isEnabled: Bool
        /// `rp_id`: the domain that they are bound to.
        public var relyingParty: String
        /// `origins`: besides that of `public_url`.
        public var origins: [String]
        /// `user_verification`.
        public var userVerification: UserVerification
    }

    /// `login`.
    public struct Login: Sendable, Hashable {
        /// Who may register.
        public enum Registration: String, Sendable {
            /// Nobody: the operator makes the accounts.
            case closed
            /// Who has an invitation.
            case invited
            /// Everybody who reads their mail.
            case open
        }

        /// `registration`.
        public var registration: Registration
        /// `magic_link.enabled`.
        public var magicLinkIsEnabled: Bool
        /// `magic_link.lifetime`.
        public var magicLinkLifetime: Duration
        /// `password.enabled`.
        public var passwordIsEnabled: Bool
        /// `password.min_length` in characters.
        public var minimumPasswordLength: Int
        /// `lockout.failures`.
        public var lockoutFailures: Int
        /// `lockout.period`.
        public var lockoutPeriod: Duration
        /// `passkeys`.
        public var passkeys: Passkeys
        /// `two_factor` is `required`.
        public var secondFactorIsRequired: Bool
        /// `trust_device`; nil: none.
        public var trustsDevicesFor: Duration?
    }

    /// `limits`.
    public struct Limits: Sendable, Hashable {
        /// How many in which time, and how many at once.
        public struct Rate: Sendable, Hashable {
            /// So many…
            public var count: Int
            /// …in this time.
            public var per: Duration
            /// So many at once, after a rest.
            public var burst: Int
        }

        /// Connections of one address, or of 64 bits of IPv6.
        public var connectionsPerClient: Int
        /// `sign_in`.
        public var signIn: Rate
        /// `mail`.
        public var mail: Rate
        /// Whom no limit per client is for, besides the trusted proxies.
        public var exemptNetworks: [Network]
    }
}
