extension Settings {
    /// A certificate with its key, by their files.
    public struct KeyPair: Sendable, Hashable {
        /// PEM, the certificate itself first.
        public var certificate: String
        /// PEM.
        public var privateKey: String
    }

    /// `listen[].tls`.
    public struct ListenerTLS: Sendable, Hashable {
        /// The oldest version that is spoken.
        public enum Version: String, Sendable {
            case v12 = "1.2"
            case v13 = "1.3"
        }

        /// At least one; the first is the default.
        public var certificates: [KeyPair]
        /// The oldest version.
        public var minimum: Version
        /// `client_ca`, a file: clients are asked for certificates of these issuers; nil: they are not.
        public var clientAuthorities: String?
    }

    /// `upstreams.*.tls`.
    public struct UpstreamTLS: Sendable, Hashable {
        /// The file of `ca`; nil: the system's.
        public var authorities: String?
        /// `server_name`; nil: the URL's host.
        public var serverName: String?
        /// What we show of ourselves; nil: nothing.
        public var keyPair: KeyPair?
    }
}
