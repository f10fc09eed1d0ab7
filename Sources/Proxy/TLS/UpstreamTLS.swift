import Core
import NIOCore
import NIOSSL

/// What TLS is spoken with to the servers of one upstream. There is no way to leave verification out.
final class UpstreamTLS: Sendable {
    private struct Material: Sendable {
        let context: NIOSSLContext
        /// Offers HTTP/1.1 only.
        let plainContext: NIOSSLContext
        let pair: KeyPair?
    }

    let description: UpstreamTLSDescription
    private let material: MadeOfFiles<Material>
    /// For the log.
    let files: [String]

    /// How long our end waits for the server's goodbye.
    private static let goodbye = TimeAmount.seconds(1)

    init(_ description: UpstreamTLSDescription) throws(ProxyError) {
        self.description = description
        var files: [String] = []
        if case .file(let path) = description.authorities { files.append(path) }
        if let pair = description.keyPair { files += [pair.certificate, pair.privateKey] }
        self.files = files
        material = try MadeOfFiles(files) { () throws(ProxyError) in try Self.make(description) }
    }

    private static func make(_ description: UpstreamTLSDescription) throws(ProxyError) -> Material {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.shutdownTimeout = goodbye
        switch description.authorities {
        case .system: configuration.trustRoots = .default
        case .file(let path):
            configuration.trustRoots = .certificates(try CertificateFile.authorities(path))
        }
        var pair: KeyPair?
        if let files = description.keyPair {
            let own = try KeyPair(files)
            configuration.certificateChain = own.chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(own.privateKey)
            pair = own
        }
        do {
            let context = try NIOSSLContext(configuration: configuration)
            configuration.applicationProtocols = ["http/1.1"]
            return Material(
                context: context, plainContext: try NIOSSLContext(configuration: configuration), pair: pair)
        } catch {
            throw ProxyError(.badCertificate, "TLS cannot be set up: \(error)")
        }
    }

    /// The handler of one connection.
    ///
    /// - Parameters:
    ///   - host: of the address. A name is asked for and must be in the certificate; so must an address, which is never
    ///     asked for (RFC 6066 section 3).
    ///   - onlyHTTP1: HTTP/2 is not offered.
    func makeHandler(for host: String, onlyHTTP1: Bool) throws -> NIOSSLClientHandler {
        let name = description.serverName ?? (IPAddress(host) == nil ? host : nil)
        let product = material.product
        return try NIOSSLClientHandler(
            context: onlyHTTP1 ? product.plainContext : product.context, serverHostname: name)
    }

    func refresh() throws(ProxyError) -> Bool { try material.refresh() }

    /// Made anew it would be the same. The system's own authorities are read once.
    func isSame(as other: UpstreamTLSDescription) -> Bool { description == other && material.isUpToDate }

    /// What we show of ourselves.
    var certificate: CertificateExpiry? {
        guard let pair = material.product.pair, let files = description.keyPair else { return nil }
        return CertificateExpiry(name: pair.names.first ?? files.certificate, at: pair.notAfter)
    }

    /// Whether TLS itself failed, and not the connection below it.
    static func isCause(of error: any Error) -> Bool {
        switch error {
        case NIOSSLError.uncleanShutdown: false
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: true
        default: false
        }
    }

    /// What was wrong, for whoever has to mend it.
    static func explanation(of error: any Error) -> String {
        switch error {
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            "the server's certificate is for another name"
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.cannotFindPeerIP:
            "the server's certificate is for another name"
        case NIOSSLError.handshakeFailed(let cause) where "\(cause)".contains("CERTIFICATE_VERIFY_FAILED"):
            "the server's certificate has expired, or nobody that `ca` names has issued it"
        case NIOSSLError.handshakeFailed(let cause) where "\(cause)".contains("WRONG_VERSION_NUMBER"):
            "the server does not speak TLS there"
        default: "the TLS handshake failed"
        }
    }
}
