internal import Core

/// The text of one template in one language. `{field}` stands for a field's value; `{site}` for our name.
struct MailText: Sendable {
    enum Paragraph: Sendable {
        case text(String)
        /// The link, under these words.
        case link(String)
        /// Time, address and device, as far as they are known.
        case occasion
    }

    var subject: String
    var paragraphs: [Paragraph]

    init(_ subject: String, _ paragraphs: Paragraph...) {
        self.subject = subject
        self.paragraphs = paragraphs
    }
}

/// One language: a text for every template, and the few words that all share.
struct MailCatalogue: Sendable {
    var texts: [MailTemplate: MailText]
    var when: String
    var address: String
    var device: String
    /// The last line of every mail.
    var footer: String

    static func of(_ language: MailLanguage) -> MailCatalogue {
        switch language {
        case .english: english
        case .german: german
        }
    }
}

/// Who writes the mails.
public struct MailSite: Sendable, Equatable {
    /// What the service calls itself in mails.
    public var name: String
    /// `public_url`.
    public var url: String
    /// The part of a Message-ID behind the `@`.
    public var domain: String

    /// All fields, named as they are.
    public init(name: String, url: String, domain: String) {
        self.name = name
        self.url = url
        self.domain = domain
    }
}
