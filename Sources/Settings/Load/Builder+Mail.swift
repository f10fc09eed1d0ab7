import Core
import Policy

extension Builder {
    /// `mail`.
    func readMail() -> Settings.Mail {
        guard let value = root.value("mail") else { return .none }
        switch value.text {
        case "none": return .none
        case "log": return .log
        case .some(let text):
            reading.refuse(value, text, among: ["none", "log"], expected: "none, log or { from: …, smtp: … }")
            return .none
        case nil: break
        }
        let mail = root.map("mail")
        guard mail.node != nil else { return .none }
        let sender = readSender(mail)
        if !mail.has("smtp") {
            reading.problem(
                mail.location, Problem.join(mail.path, "smtp"), "is missing; expected a map with at least `host`")
        }
        let smtp = mail.map("smtp")
        guard smtp.node != nil else { return .none }
        let security = smtp.choice("security", of: Settings.Mail.Security.self) ?? .starttls
        let host = readMailHost(smtp)
        let port = readMailPort(smtp) ?? security.port
        let (username, password) = readMailLogin(smtp, host, security)
        guard let sender, let host else { return .none }
        return .smtp(
            Settings.Mail.SMTP(
                senderName: sender.name, sender: sender.address, host: host, port: port, security: security,
                username: username, password: password))
    }

    private func readSender(_ mail: MapView) -> (name: String, address: EmailAddress)? {
        guard let (text, value) = mail.required("from") else { return nil }
        guard let sender = NamedAddress(text) else {
            reading.refuse(value)
            return nil
        }
        return (sender.name, sender.address)
    }

    private func readMailHost(_ smtp: MapView) -> String? {
        guard let (text, value) = smtp.required("host") else { return nil }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if IPAddress(bare) != nil { return bare }
        guard let name = HostName.canonical(configured: text), !name.contains(":"), !name.hasPrefix("[") else {
            reading.refuse(value)
            return nil
        }
        return name
    }

    private func readMailPort(_ smtp: MapView) -> UInt16? {
        guard let (text, value) = smtp.filled("port") else { return nil }
        guard let number = Measures.wholeNumber(text), let port = UInt16(exactly: number), port > 0 else {
            reading.refuse(value)
            return nil
        }
        return port
    }

    private func readMailLogin(
        _ smtp: MapView, _ host: String?, _ security: Settings.Mail.Security
    ) -> (username: String?, password: SecretBytes?) {
        let username = smtp.filled("username")
        let password = smtp.value("password")
        switch (username, password) {
        case (nil, nil): return (nil, nil)
        case (let username?, nil):
            reading.problem(
                username.value.location, username.value.path, "only goes with a `password` beside it")
        case (nil, let password?):
            reading.problem(password.location, password.path, "only goes with a `username` beside it")
        case (let username?, let password?):
            if security == .none, let host, !Loopback.isHost(host) {
                reading.problem(
                    password.location, password.path,
                    "would go over the network unencrypted; expected `security: starttls` or `tls`")
            }
            guard secrets == .read else { return (username.text, nil) }
            return (username.text, Secrets(reading: reading).read(password))
        }
        return (nil, nil)
    }
}
