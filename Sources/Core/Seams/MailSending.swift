/// A mail as it goes out, independent of how it is written on the wire.
public struct Mail: Sendable {
    /// `id@domain`, without angle brackets; the same at each attempt, so that a mail which arrives twice is known again.
    public var messageID: String
    /// Whom it is for.
    public var recipient: EmailAddress
    /// One line.
    public var subject: String
    /// The whole text.
    public var text: String
    /// The same as an HTML document; refers to nothing outside.
    public var html: String
    /// A language tag, `en` or `de`.
    public var language: String
    /// When it was written.
    public var date: Timestamp

    /// All fields, named as they are.
    public init(
        messageID: String, recipient: EmailAddress, subject: String, text: String, html: String, language: String,
        date: Timestamp
    ) {
        self.messageID = messageID
        self.recipient = recipient
        self.subject = subject
        self.text = text
        self.html = html
        self.language = language
        self.date = date
    }
}

/// Why a mail was not taken.
public struct MailError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was: it decides what becomes of the mail.
    public enum Code: String, Sendable {
        /// This mail will never be taken: it is dead.
        case rejected
        /// This mail was not taken now.
        case deferred
        /// No mail can be sent now: the server is down, or does not believe or know us.
        case unavailable
        /// The sender was told to stop.
        case stopped
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong, for the log and `outbox list`; holds no password and no part of a mail.
    public let message: String

    /// - Parameter message: for people; must not hold a secret.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// Hands mails over. Waits for the network: it belongs on a thread of its own.
public protocol MailSending: Sendable {
    /// Returns when somebody else has taken the responsibility for the mail.
    func send(_ mail: Mail) throws(MailError)
}
