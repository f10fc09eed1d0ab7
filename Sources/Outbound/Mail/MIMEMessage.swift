internal import Core

/// A mail as bytes (RFC 5322, RFC 2045): seven bits, lines of at most 78 bytes, CRLF, plain text with HTML beside it.
///
/// Whatever is put into a header is one line: a control character in it is refused, so nobody can add a header.
struct MIMEMessage {
    /// The largest that is made.
    static let maximumBytes = 256 << 10

    let bytes: [UInt8]

    /// - Throws: `rejected` when a header would hold a control character, or the mail would be too large.
    init(_ mail: Mail, from sender: NamedAddress) throws(MailError) {
        for text in [mail.subject, sender.name, mail.messageID, mail.language] {
            guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw MailError(.rejected, "a header of the mail holds a control character")
            }
        }
        // From the id, so that the same mail is made of the same bytes each time; `=_` is in no encoded line.
        let boundary = "=_gatehouse_" + mail.messageID.prefix { $0 != "@" }
        var text = ""
        func header(_ name: String, _ value: String) { text += "\(name): \(value)\r\n" }
        header("Date", Self.date(mail.date))
        header("From", Self.mailbox(sender))
        header("To", mail.recipient.description)
        header("Subject", HeaderText.encoded(mail.subject, after: "Subject: ".utf8.count))
        header("Message-ID", "<\(mail.messageID)>")
        // RFC 3834: no answer by a machine, please.
        header("Auto-Submitted", "auto-generated")
        header("Content-Language", mail.language)
        header("MIME-Version", "1.0")
        header("Content-Type", "multipart/alternative;\r\n boundary=\"\(boundary)\"")
        text += "\r\n"
        for (type, content) in [("plain", mail.text), ("html", mail.html)] {
            text += "--\(boundary)\r\n"
            header("Content-Type", "text/\(type); charset=utf-8")
            header("Content-Transfer-Encoding", "quoted-printable")
            text += "\r\n" + QuotedPrintable.encoded(content) + "\r\n"
        }
        text += "--\(boundary)--\r\n"
        bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumBytes else { throw MailError(.rejected, "the mail is too large") }
    }

    private static func mailbox(_ mailbox: NamedAddress) -> String {
        guard !mailbox.name.isEmpty else { return mailbox.address.description }
        let isPlain = mailbox.name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x20: true
            default: false
            }
        }
        let name =
            isPlain && mailbox.name.utf8.count <= 60
            ? mailbox.name : HeaderText.words(mailbox.name, after: "From: ".utf8.count)
        return "\(name)\r\n <\(mailbox.address)>"
    }

    /// `Mon, 23 Nov 2026 04:10:00 +0000` (RFC 5322 section 3.3).
    static func date(_ time: Timestamp) -> String {
        let text = Array(time.rfc3339.utf8)
        let days = time.seconds >= 0 ? time.seconds / 86_400 : (time.seconds - 86_399) / 86_400
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int((days % 7 + 7) % 7)]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func part(_ range: Range<Int>) -> String {
            String(decoding: text.dropFirst(range.lowerBound).prefix(range.count), as: UTF8.self)
        }
        let month = Int(part(5..<7)).flatMap { months.indices.contains($0 - 1) ? months[$0 - 1] : nil } ?? "Jan"
        return "\(weekday), \(part(8..<10)) \(month) \(part(0..<4)) \(part(11..<19)) +0000"
    }
}
