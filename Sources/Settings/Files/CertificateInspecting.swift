public import Core

/// Looks into certificates and keys for whoever checks a configuration, which itself knows no X.509.
public protocol CertificateInspecting: Sendable {
    /// - Parameters:
    ///   - certificate: PEM, the certificate itself first.
    ///   - privateKey: PEM.
    /// - Throws: ``CertificateFault`` when they cannot be used together.
    func inspect(certificate: [UInt8], privateKey: [UInt8]) throws(CertificateFault) -> CertificateFindings

    /// Whether these are certificates in PEM, at least one.
    func areCertificates(_ bytes: [UInt8]) -> Bool

    /// Whether this is a private key in PEM that signs with ES256, not encrypted.
    func isSigningKey(_ pem: SecretBytes) -> Bool
}

/// What a certificate says.
public struct CertificateFindings: Sendable {
    /// Its DNS names in lower case.
    public var names: [String]
    /// In words for a warning that begins with the file, like `expired on …`; nil: it holds today.
    public var notValid: String?

    /// Both fields, named as they are.
    public init(names: [String], notValid: String?) {
        self.names = names
        self.notValid = notValid
    }
}

/// Why a certificate and a key cannot be used.
public struct CertificateFault: Error, Sendable {
    /// It is the key's file that is wrong.
    public var isAboutKey: Bool
    /// The rest of a sentence that begins with the file.
    public var message: String

    /// Both fields, named as they are.
    public init(isAboutKey: Bool, message: String) {
        self.isAboutKey = isAboutKey
        self.message = message
    }
}
