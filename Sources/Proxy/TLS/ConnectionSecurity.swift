import Core
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Policy

/// What TLS told of one connection on a listener that asks for client certificates: the name that was asked for, and
/// the certificate that was verified. Belongs to the connection, whatever is spoken on it; bound to its loop.
final class ConnectionSecurity {
    /// As the client sent it; nil: it named no server.
    fileprivate(set) var serverName: String?
    fileprivate var sawHello = false
    /// DER, verified; nil: the client has shown none.
    private(set) var certificate: [UInt8]?
    /// Who the certificate was found to be, to be looked at again for each request.
    private var known: Identity?
    private let terminal: TLSTerminal
    private let removals: UInt64

    /// To be made before the handler of the connection's TLS, which takes the authorities of its moment: one that is
    /// taken out in between counts as taken out later.
    init(_ terminal: TLSTerminal) {
        self.terminal = terminal
        removals = terminal.removedAuthorities
    }

    /// An authority was taken out since the certificate was verified, and may be the one that has issued it.
    var hasLostAuthority: Bool { certificate != nil && terminal.removedAuthorities != removals }

    /// Once, when TLS is agreed on.
    func noteHandshake(_ pipeline: ChannelPipeline) {
        certificate = try? pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
    }

    /// Who the certificate proves, now.
    func credential(_ reader: any CredentialReader, at now: Timestamp) -> CredentialState {
        guard let certificate else { return .none }
        let reading: CredentialReading
        if let known {
            reading = reader.recheck(known, at: now)
        } else {
            reading = reader.read(PresentedCredential(source: .certificate, bytes: certificate.span), at: now)
        }
        switch reading {
        case .identity(let identity):
            known = identity
            return .identity(identity)
        case .refused(let refusal): return .refused(refusal)
        // Nobody waits for a certificate, and one that was verified is ours to judge.
        case .notMine, .pending: return .refused(CredentialRefusal(.credentialUnknown))
        }
    }

    // MARK: The name that was asked for

    /// BoringSSL says the name to a closure of the whole listener; this says whose bytes it is reading. A parser of our
    /// own could read another name than BoringSSL does.
    // Each thread has a value of its own, so there is nothing to share.
    nonisolated(unsafe) private static let reading = ThreadSpecificVariable<ConnectionSecurity>()

    static func noteServerName(_ name: String?) {
        guard let connection = reading.currentValue else { return }
        connection.serverName = name
        connection.sawHello = true
    }

    /// Stands before TLS until the client's hello has been read.
    final class HelloHandler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer

        private let security: ConnectionSecurity

        init(_ security: ConnectionSecurity) { self.security = security }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            ConnectionSecurity.reading.currentValue = security
            context.fireChannelRead(data)
            ConnectionSecurity.reading.currentValue = nil
            if security.sawHello { context.pipeline.syncOperations.removeHandler(self, promise: nil) }
        }
    }
}

extension FrontHandler {
    /// A handshake that failed, or a connection that TLS says is broken.
    func noteTLSFailure(_ error: any Error) {
        if security != nil, case NIOSSLError.handshakeFailed(let cause) = error,
            "\(cause)".contains("CERTIFICATE_VERIFY_FAILED")
        {
            let client = loop.describe(connection.address)
            loop.logRarely("certificate \(client)", .warning, "a client's certificate was not accepted") {
                [
                    "address": "\(client)",
                    "reason": "it is not valid now, not for clients, or nobody that client_ca names has issued it",
                ]
            }
        } else {
            loop.logger.debug("TLS with a client failed", metadata: ["error": "\(error)"])
        }
    }
}
