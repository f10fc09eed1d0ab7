public import Core

extension Settings {
    /// `mail`.
    public enum Mail: Sendable {
        /// No mail is written.
        case none
        /// Mails are written to the log: for trying things out.
        case log
        /// Mails are handed to a server.
        case smtp(SMTP)

        /// How the connection to the mail server is protected.
        public enum Security: String, Sendable {
            case starttls, tls, none

            /// The port that goes with it (RFC 8314, RFC 6409).
            var port: UInt16 {
                switch self {
                case .starttls: 587
                case .tls: 465
                case .none: 25
                }
            }
        }

        /// `mail.from` and `mail.smtp`.
        public struct SMTP: Sendable {
            /// The name in `from`; may be empty.
            public var senderName: String
            /// The address in `from`.
            public var sender: EmailAddress
            /// A host name or an address, IPv6 without brackets.
            public var host: String
            public var port: UInt16
            public var security: Security
            /// Nil: no sign-in.
            public var username: String?
            /// Nil when there is none or secrets were left alone.
            public var password: SecretBytes?
        }

        /// Something becomes of mails.
        public var isOn: Bool {
            if case .none = self { return false }
            return true
        }
    }
}
