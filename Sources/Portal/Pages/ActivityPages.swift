internal import Accounts
internal import Core

extension Endpoint {
    static let activity: [Endpoint] = [
        page("GET", "/account/activity") { try $0.showActivity() }
    ]
}

/// What has happened to the account of whoever is signed in, in words of ours.
extension PortalRequest {
    func showActivity() throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let before = query()["before"].flatMap(Self.wholeNumber)
        let activity = try operations.activity(of: principal, limit: Self.shownAtOnce, before: before)
        var values: [String: Any] = ["events": activity.events.map(shown), "is_empty": activity.events.isEmpty]
        let parts = otherParts(of: .activity, next: activity.next.map { "\($0)" }, isNewest: before == nil)
        values.merge(parts) { own, _ in own }
        return try page(.activity, principal, title: "activity_title", values)
    }

    /// What a client says of itself and what a stranger typed is not repeated: only words of ours, addresses, names of
    /// routes and of the user.
    private func shown(_ event: AuditEvent) -> [String: Any] {
        let words = ActivityWords.of(language)
        var values: [String: Any] = [
            "what": words[event.type] ?? words["other"] ?? event.type, "at": shown(event.createdAt),
        ]
        if !event.success { values["failed"] = true }
        if let address = event.ipAddress { values["address"] = address }
        if event.userAgent != nil { values["device"] = event.device ?? text("unknown_device") }
        if let route = event.route { values["route"] = route }
        if let count = Self.count(of: event) { values["count"] = "\(count)" }
        if event.actor.hasPrefix("cli:") || event.actor.hasPrefix("admin:") { values["by_operator"] = true }
        return values
    }

    /// How many requests an event stands for, where it is more than one.
    private static func count(of event: AuditEvent) -> Int64? {
        guard case .integer(let count)? = event.metadata["count"], count > 1,
            [AuditEventType.access, .requestDenied].contains(where: { $0.rawValue == event.type })
        else { return nil }
        return count
    }

    // MARK: Another e-mail address

    /// What the form for another address needs: a sign-in of the last minutes, or the way to one.
    func emailChange(_ principal: Principal) throws -> [String: Any] {
        guard configuration.sendsMail else { return [:] }
        guard let missing = try operations.missingProof(of: principal) else { return ["email_form": true] }
        return ["email_proof": Self.proof(for: missing, returnTo: Tab.account.path) ?? Tab.account.path]
    }

    /// The answer to the form.
    ///
    /// - Throws: what is not about the address that was entered.
    func changeEmail(_ principal: Principal, to email: String) async throws -> Answer {
        guard configuration.sendsMail else { throw PortalFailure.notFound }
        do {
            try await operations.changeEmail(of: principal, to: email, from: client())
            return .seeOther("/.auth/account?done=email_asked")
        } catch {
            switch error.code {
            case .reauthenticationRequired, .twoFactorRequired:
                return .seeOther(Self.proof(for: error, returnTo: Tab.account.path) ?? Tab.account.path)
            case .invalid, .rateLimited:
                var answer = try accountPage(
                    principal, try operations.user(principal), status: PortalFailure(error).status,
                    more: ["email_error": sentence(for: error), "new_email": email])
                answer.headers += PortalFailure(error).headers
                return answer
            default: throw error
            }
        }
    }
}
