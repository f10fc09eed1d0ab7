/// A certificate with its chain and the private key that belongs to it, by their files (PEM).
public struct KeyPairFiles: Sendable, Hashable {
    /// The certificate itself first, then what leads to its root.
    public var certificate: String
    /// Not protected by a passphrase, and readable by its owner only.
    public var privateKey: String

    /// Both fields, named as they are.
    public init(certificate: String, privateKey: String) {
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// How a listener speaks TLS.
public struct ListenerTLS: Sendable, Hashable {
    /// The oldest version that is spoken; the newest is always 1.3.
    public enum Version: Sendable, Hashable {
        case v12, v13
    }

    /// At least one; the first is for clients that name no server, or one that no certificate is for.
    public var certificates: [KeyPairFiles]
    /// The oldest version.
    public var minimum: Version
    /// A file (PEM): clients are asked for a certificate that one of these has issued; nil: they are not.
    public var clientAuthorities: String?

    /// Speaks 1.2 and 1.3 and asks clients for nothing unless told otherwise.
    public init(certificates: [KeyPairFiles], minimum: Version = .v12, clientAuthorities: String? = nil) {
        self.certificates = certificates
        self.minimum = minimum
        self.clientAuthorities = clientAuthorities
    }
}

/// How TLS is spoken to the servers of an upstream. Their certificates are always verified.
public struct UpstreamTLSDescription: Sendable, Hashable {
    /// Who may have issued their certificates.
    public enum Authorities: Sendable, Hashable {
        /// Whom the machine trusts.
        case system
        /// The certificates of this file (PEM) and nobody else.
        case file(String)
    }

    /// Who may have issued their certificates.
    public var authorities: Authorities
    /// The name that is asked for and that the certificate must have; nil: the host of the address.
    public var serverName: String?
    /// What we show of ourselves; nil: nothing.
    public var keyPair: KeyPairFiles?

    /// Trusts whom the machine trusts unless told otherwise.
    public init(authorities: Authorities = .system, serverName: String? = nil, keyPair: KeyPairFiles? = nil) {
        self.authorities = authorities
        self.serverName = serverName
        self.keyPair = keyPair
    }
}
