internal import CCurl
public import Core
internal import Synchronization

/// Hands mails to one server by SMTP submission (RFC 6409), a connection a mail.
///
/// With `starttls` nothing but the greeting is said before TLS, and a server that does not offer it gets no mail;
/// certificates are always verified. Waits for the network: one thread calls it.
public final class SMTPClient: MailSending {
    /// How the connection is protected.
    public enum Security: String, Sendable {
        case starttls, tls, none
    }

    /// Where and as whom mail is handed over.
    public struct Configuration: Sendable {
        /// `from`.
        public var sender: NamedAddress
        /// A name or an address, IPv6 without brackets.
        public var host: String
        public var port: UInt16
        public var security: Security
        /// Both or neither.
        public var username: String?
        public var password: SecretBytes?
        /// What we call ourselves in EHLO.
        public var ownName: String
        /// A PEM file of authorities; nil: the system's.
        public var authorities: String?
        /// For a connection with TLS.
        public var connectTimeout: Duration
        /// For everything together.
        public var timeout: Duration

        /// 15 seconds for a connection, a minute for everything unless said otherwise.
        public init(
            sender: NamedAddress, host: String, port: UInt16, security: Security = .starttls, username: String? = nil,
            password: SecretBytes? = nil, ownName: String = "localhost", authorities: String? = nil,
            connectTimeout: Duration = .seconds(15), timeout: Duration = .seconds(60)
        ) {
            self.sender = sender
            self.host = host
            self.port = port
            self.security = security
            self.username = username
            self.password = password
            self.ownName = ownName
            self.authorities = authorities
            self.connectTimeout = connectTimeout
            self.timeout = timeout
        }
    }

    static let isInitialised = gh_curl_global_init() == CURLE_OK
    let configuration: Configuration
    private let stopping = Atomic<Bool>(false)

    /// Opens nothing yet.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// A transfer under way ends within a second, and none begins any more.
    public func stop() {
        stopping.store(true, ordering: .relaxed)
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    public func send(_ mail: Mail) throws(MailError) {
        guard Self.isInitialised else { throw MailError(.unavailable, "libcurl could not be initialised") }
        let message = try MIMEMessage(mail, from: configuration.sender)
        try SMTPTransfer(self, to: mail.recipient, message.bytes).perform()
    }
}
