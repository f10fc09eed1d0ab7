import NIOCore
import NIOSSL
import Synchronization

/// What one listener speaks TLS with: versions, ciphers, and the certificates by name.
final class TLSTerminal: Sendable {
    private struct Material: Sendable {
        let context: NIOSSLContext
        let pairs: [KeyPair]
        /// Who may have issued the clients' certificates, in DER.
        let authorities: Set<[UInt8]>
    }

    private let material: MadeOfFiles<Material>
    private let removals = Atomic<UInt64>(0)
    /// For the log.
    let files: [String]
    /// Clients are asked for a certificate.
    let verifiesClients: Bool

    /// What a client and we may agree on, ours to choose: the first that the client knows.
    private static let applicationProtocols = [FrontHandler.nameInTLS, "http/1.1"]
    /// TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325 section 4.2). Those of 1.3 all are so.
    private static let ciphers: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
    /// How long our end waits for the client's goodbye.
    private static let goodbye = TimeAmount.seconds(2)
    /// What a connection keeps for writing between two answers.
    private static let keptCapacity = 32 * 1024

    init(_ description: ListenerTLS) throws(ProxyError) {
        guard !description.certificates.isEmpty else {
            throw ProxyError(.badCertificate, "a TLS listener needs a certificate")
        }
        files =
            description.certificates.flatMap { [$0.certificate, $0.privateKey] }
            + (description.clientAuthorities.map { [$0] } ?? [])
        verifiesClients = description.clientAuthorities != nil
        material = try MadeOfFiles(files) { () throws(ProxyError) in try Self.make(description) }
    }

    private static func make(_ description: ListenerTLS) throws(ProxyError) -> Material {
        var pairs: [KeyPair] = []
        for files in description.certificates { pairs.append(try KeyPair(files)) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: pairs[0].chain.map { .certificate($0) }, privateKey: .privateKey(pairs[0].privateKey))
        configuration.minimumTLSVersion = description.minimum == .v12 ? .tlsv12 : .tlsv13
        configuration.cipherSuiteValues = ciphers
        configuration.applicationProtocols = applicationProtocols
        configuration.shutdownTimeout = goodbye
        let verifiesClients = description.clientAuthorities != nil
        var authorities: [NIOSSLCertificate] = []
        if let path = description.clientAuthorities {
            authorities = try CertificateFile.authorities(path)
            // A session that is resumed brings the certificate that was verified when it began; its ticket opens only
            // with the keys of this context, so a changed file of authorities ends them all.
            configuration.certificateVerification = .optionalVerification
            configuration.trustRoots = .certificates(authorities)
            configuration.sendCANameList = true
        }
        if pairs.count > 1 || verifiesClients {
            let choice = CertificateChoice(pairs.map(\.names))
            let overrides = pairs.map { pair in
                var override = NIOSSLContextConfigurationOverride()
                override.certificateChain = pair.chain.map { .certificate($0) }
                override.privateKey = .privateKey(pair.privateKey)
                return override
            }
            configuration.sslContextCallback = { client, promise in
                if verifiesClients { ConnectionSecurity.noteServerName(client.serverHostname) }
                let index = choice.index(for: client.serverHostname)
                promise.succeed(index == 0 ? .noChanges : overrides[index])
            }
        }
        do {
            return Material(
                context: try NIOSSLContext(configuration: configuration), pairs: pairs,
                authorities: Set(try authorities.map { try $0.toDERBytes() }))
        } catch {
            throw ProxyError(.badCertificate, "TLS cannot be set up: \(error)")
        }
    }

    /// The handler of one connection; stands before everything that reads plain bytes.
    func makeHandler() -> NIOSSLServerHandler {
        var configuration = NIOSSLHandler.Configuration()
        configuration.maximumPreservedOutboundBufferCapacity = Self.keptCapacity
        return NIOSSLServerHandler(context: material.product.context, configuration: configuration)
    }

    /// - Returns: whether the certificates are others than before.
    func refresh() throws(ProxyError) -> Bool {
        let before = material.product.authorities
        guard try material.refresh() else { return false }
        if !before.isSubset(of: material.product.authorities) { removals.wrappingAdd(1, ordering: .releasing) }
        return true
    }

    /// How often the file of authorities has lost one. Read without a lock.
    var removedAuthorities: UInt64 { removals.load(ordering: .acquiring) }

    /// What is in force.
    var certificates: [CertificateExpiry] {
        material.product.pairs.enumerated().map { place, pair in
            CertificateExpiry(name: pair.names.first ?? files[2 * place], at: pair.notAfter)
        }
    }
}
