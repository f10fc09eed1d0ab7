internal import Core

/// Makes a mail's subject, text and HTML from a template and its fields. Whatever came from outside is one short line of
/// text, and nothing in it is markup.
struct MailWriter {
    static let maximumFieldCharacters = 200

    let site: MailSite
    let language: MailLanguage
    private let values: [String: String]
    private let link: String?
    private var catalogue: MailCatalogue { MailCatalogue.of(language) }

    /// - Parameter link: opened.
    init(_ record: OutboxRecord, link: String?, site: MailSite) {
        self.site = site
        self.link = link
        language = record.language
        var values = record.fields.mapValues(Self.oneLine)
        values["site"] = Self.oneLine(site.name)
        values["url"] = site.url
        if let time = record.fields["at"].flatMap(Timestamp.init(rfc3339:)) {
            // 2026-11-23 04:10 UTC, which every language reads.
            values["at"] = "\(time.rfc3339.prefix(10)) \(time.rfc3339.dropFirst(11).prefix(5)) UTC"
        }
        self.values = values
    }

    /// - Returns: nil when the record's template is not of this version.
    func mail(_ record: OutboxRecord) -> Mail? {
        guard let template = MailTemplate(rawValue: record.template), let text = catalogue.texts[template],
            let recipient = EmailAddress(record.recipient)
        else { return nil }
        return Mail(
            messageID: "\(record.id)@\(site.domain)", recipient: recipient, subject: filled(text.subject),
            text: plain(text), html: html(text), language: language.rawValue, date: record.createdAt)
    }

    private func plain(_ text: MailText) -> String {
        var parts: [String] = []
        for paragraph in text.paragraphs {
            switch paragraph {
            case .text(let words): parts.append(filled(words))
            case .link(let words): if let link { parts.append("\(filled(words)):\n\(link)") }
            case .occasion: parts.append(facts.map { "\($0.label): \($0.value)" }.joined(separator: "\n"))
            }
        }
        parts.append("-- \n" + filled(catalogue.footer))
        return parts.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
    }

    private func html(_ text: MailText) -> String {
        var body = ""
        for paragraph in text.paragraphs {
            switch paragraph {
            case .text(let words): body += "<p>\(Self.escaped(filled(words)))</p>\n"
            case .link(let words):
                guard let link else { continue }
                let address = Self.escaped(link)
                body += "<p><a href=\"\(address)\">\(Self.escaped(filled(words)))</a><br>\n"
                body += "<small>\(address)</small></p>\n"
            case .occasion:
                let lines = facts.map { "\(Self.escaped($0.label)): \(Self.escaped($0.value))" }
                if !lines.isEmpty { body += "<p>\(lines.joined(separator: "<br>\n"))</p>\n" }
            }
        }
        return """
            <!DOCTYPE html>
            <html lang="\(language.rawValue)">
            <head><meta charset="utf-8"><title>\(Self.escaped(filled(text.subject)))</title></head>
            <body style="font-family: sans-serif; max-width: 40em; line-height: 1.5">
            \(body)<hr>
            <p><small>\(Self.escaped(filled(catalogue.footer)))</small></p>
            </body>
            </html>

            """
    }

    private var facts: [(label: String, value: String)] {
        let labels = [(catalogue.when, "at"), (catalogue.address, "address"), (catalogue.device, "device")]
        return labels.compactMap { label, field in values[field].flatMap { $0.isEmpty ? nil : (label, $0) } }
    }

    /// Each `{field}` once; what is put in is not looked at again.
    private func filled(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[rest.index(after: open)...]
            guard let close = rest.firstIndex(of: "}") else { break }
            result += values[String(rest[..<close])] ?? ""
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    private static func oneLine(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(maximumFieldCharacters) {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .format, .surrogate, .unassigned: result.append(" ")
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
