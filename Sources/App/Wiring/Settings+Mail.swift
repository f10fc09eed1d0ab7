internal import Accounts
internal import Core
internal import Logging
internal import Outbound
internal import Settings

extension Settings {
    /// What takes the mails over; nil for `mail: none`.
    func mailSender(_ log: Logger) -> (any MailSending)? {
        switch mail {
        case .none: nil
        case .log: LogMailSender(log: log)
        case .smtp(let server):
            SMTPClient(
                SMTPClient.Configuration(
                    sender: NamedAddress(name: server.senderName, address: server.sender), host: server.host,
                    port: server.port, security: SMTPClient.Security(server.security), username: server.username,
                    password: server.password, ownName: publicURL.host,
                    // OpenSSL's own word for a private authority, for programs that do not ask otherwise.
                    authorities: ProcessEnvironment.value(of: "SSL_CERT_FILE")))
        }
    }

    /// Who the mails are from.
    var mailSite: MailSite {
        let domain: String
        if case .smtp(let server) = mail { domain = server.sender.domain } else { domain = "localhost" }
        return MailSite(
            name: branding.isNamed ? branding.name : publicURL.host, url: publicURL.description, domain: domain)
    }
}

extension SMTPClient.Security {
    init(_ security: Settings.Mail.Security) {
        switch security {
        case .starttls: self = .starttls
        case .tls: self = .tls
        case .none: self = .none
        }
    }
}

/// `mail: log`: a line a mail, with its whole text. For trying things out; whoever reads the log can use the links.
struct LogMailSender: MailSending {
    let log: Logger

    func send(_ mail: Mail) throws(MailError) {
        log.notice(
            "mail",
            metadata: [
                "to": "\(mail.recipient)", "subject": "\(mail.subject)", "message_id": "\(mail.messageID)",
                "text": "\(mail.text)",
            ])
    }
}
