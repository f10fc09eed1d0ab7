public import Core
import NIOSSL

/// A certificate with its chain and its private key, parsed and found to belong together.
public struct KeyPair: Sendable {
    let chain: [NIOSSLCertificate]
    let privateKey: NIOSSLPrivateKey
    /// The DNS names that the certificate is for, in lower case; a wildcard begins with `*.`.
    public let names: [String]
    /// Before this it does not hold yet.
    public let notBefore: Timestamp
    /// After this it does not hold any more.
    public let notAfter: Timestamp

    /// - Parameters:
    ///   - certificate: PEM, the certificate itself first.
    ///   - privateKey: PEM, without a passphrase.
    public init(certificate: [UInt8], privateKey: [UInt8]) throws(KeyPairError) {
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(certificate), let leaf = chain.first else {
            throw KeyPairError(.certificate, "holds no certificate in PEM")
        }
        guard let key = try? NIOSSLPrivateKey(bytes: privateKey, format: .pem) else {
            throw KeyPairError(.privateKey, "holds no private key in PEM without a passphrase")
        }
        self.chain = chain
        self.privateKey = key
        names = leaf._subjectAlternativeNames().filter { $0.nameType == .dnsName }.map {
            $0.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }.lowercased()
        }
        notBefore = Timestamp(seconds: Int64(leaf.notValidBefore))
        notAfter = Timestamp(seconds: Int64(leaf.notValidAfter))
        do {
            // BoringSSL holds the two against each other when a context takes them.
            _ = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
        } catch {
            throw KeyPairError(.privateKey, "does not belong to the certificate")
        }
    }

    init(_ files: KeyPairFiles) throws(ProxyError) {
        let certificate = try CertificateFile.read(files.certificate)
        let key = try CertificateFile.read(files.privateKey, isPrivate: true)
        do throws(KeyPairError) {
            try self.init(certificate: certificate, privateKey: key)
        } catch {
            let path = error.part == .certificate ? files.certificate : files.privateKey
            throw ProxyError(.badCertificate, "the file \(path) \(error.message)")
        }
    }

    /// Whether `bytes` are certificates in PEM, at least one.
    public static func areCertificates(_ bytes: [UInt8]) -> Bool {
        (try? NIOSSLCertificate.fromPEMBytes(bytes))?.isEmpty == false
    }
}

/// Why a certificate and a key cannot be used.
public struct KeyPairError: Error, Sendable, Equatable {
    /// Which of the two files it is about.
    public enum Part: Sendable {
        case certificate, privateKey
    }

    /// Which of the two files it is about.
    public let part: Part
    /// The rest of a sentence that begins with the file.
    public let message: String

    init(_ part: Part, _ message: String) {
        self.part = part
        self.message = message
    }
}
