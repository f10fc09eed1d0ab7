import Core

/// Reads what is about who is told of what.
extension Builder {
    func readNotifications() -> Settings.Notifications {
        let view = root.map("notifications")
        return Settings.Notifications(
            newDevice: view.boolean("new_device") ?? true, passwordChanged: view.boolean("password_changed") ?? true,
            emailChanged: view.boolean("email_changed") ?? true, apiKeyCreated: view.boolean("api_key_created") ?? true,
            accountLocked: view.boolean("account_locked") ?? true,
            factorsChanged: view.boolean("factors_changed") ?? true,
            backupCodeUsed: view.boolean("backup_code_used") ?? true,
            socialAccountLinked: view.boolean("social_account_linked") ?? true,
            socialAccountUnlinked: view.boolean("social_account_unlinked") ?? true)
    }

    func readWebhooks() -> [Settings.Webhook] {
        var result: [Settings.Webhook] = []
        for view in root.maps("webhooks") {
            let secret = readWebhookSecret(view)
            let events = readWebhookEvents(view)
            guard let (url, value) = view.required("url") else { continue }
            if !isFetchable(url) {
                // Without the value, which may hold a secret: this goes to the log, the audit log and other webhooks.
                reading.problem(value.location, value.path, "expected an https URL, or http on loopback")
            } else if result.contains(where: { $0.url == url }) {
                reading.problem(value.location, value.path, "there are two webhooks of this URL")
            }
            result.append(Settings.Webhook(url: url, secret: secret, events: events))
        }
        return result
    }

    private func readWebhookSecret(_ view: MapView) -> SecretBytes? {
        guard let value = view.value("secret") else {
            reading.problem(
                view.location, Problem.join(view.path, "secret"),
                "is missing; expected { file: PATH }, { credential: NAME } or { env: NAME }")
            return nil
        }
        guard secrets == .read, let secret = Secrets(reading: reading).read(value) else { return nil }
        let isKey = secret.withUnsafeBytes { bytes in
            guard bytes.starts(with: "whsec_".utf8) else { return bytes.count >= 16 }
            return (Base64.decode(Array(bytes.dropFirst(6)).span)?.count ?? 0) >= 16
        }
        if !isKey {
            reading.problem(
                value.location, value.path,
                "expected whsec_ and at least 16 bytes in base 64, or at least 16 characters of your own")
        }
        return secret
    }

    private func readWebhookEvents(_ view: MapView) -> [String] {
        let events = view.texts("events", allowEmptyList: false) ?? []
        for (text, value) in events {
            let name = text.hasSuffix("*") ? text.dropLast() : text[...]
            let isName = name.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_")
            }
            if isName { refuseUnknown(text, value) } else { reading.refuse(value) }
        }
        return events.map(\.text)
    }

    /// A webhook that waits for what there is not would be told of nothing, and nobody would notice.
    private func refuseUnknown(_ event: String, _ value: Value) {
        guard let eventTypes else { return }
        guard let beginning = event.hasSuffix("*") ? event.dropLast() : nil else {
            guard !eventTypes.contains(event) else { return }
            return reading.problem(
                value.location, value.path,
                "there is no event \"\(event)\"\(Nearest.suggestion(for: event, among: eventTypes))")
        }
        guard !eventTypes.contains(where: { $0.hasPrefix(beginning) }) else { return }
        // What stands before an underline: `user` of `user_added`.
        let beginnings = eventTypes.flatMap { type in
            type.indices.filter { type[$0] == "_" }.map { String(type[..<$0]) }
        }
        let word = beginning.hasSuffix("_") ? beginning.dropLast() : beginning
        let meant = Nearest.to(String(word), among: beginnings).map { "; did you mean \"\($0)_*\"?" } ?? ""
        reading.problem(
            value.location, value.path, "there is no event that begins like \"\(beginning)\"\(meant)")
    }

    /// `login.password.breach_check`.
    func readBreachCheck(_ password: MapView) -> String? {
        guard let (text, value) = password.filled("breach_check"), text != "none" else { return nil }
        guard isFetchable(text), !text.contains("?") else {
            reading.refuse(value)
            return nil
        }
        return text
    }
}
