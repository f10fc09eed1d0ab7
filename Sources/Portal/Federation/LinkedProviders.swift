internal import Accounts
internal import Core
internal import Federation

/// The providers that a person's own account is linked with, and those that are offered to whoever signs in.
extension PortalRequest {
    func showProviders() throws -> Answer {
        guard configuration.hasProviders else { throw PortalFailure.notFound }
        guard let principal = signedIn() else { return signInFirst }
        return try providersPage(principal, notice: notice("provider_linked", "provider_unlinked"))
    }

    private func providersPage(
        _ principal: Principal, status: Int = 200, notice: String? = nil, error: String? = nil
    ) throws -> Answer {
        let links = try operations.socialAccounts(of: principal)
        // By the issuer: the id may have been another's when the link was made.
        let linked = Set(links.map(\.issuer))
        let token = try portal.forms.token(for: linkingPlace(principal))
        let others = (configuration.providers?.all ?? []).map(\.configuration).filter { !linked.contains($0.issuer) }
        var values: [String: Any] = [
            "linked": links.map { link -> [String: Any] in
                var shown: [String: Any] = [
                    "id": link.id, "name": name(of: link.provider), "since": self.shown(link.linkedAt),
                ]
                if let email = link.email { shown["email"] = email }
                return shown
            },
            "others": others.map { ["href": "/.auth/oauth/\($0.id)?link=\(token)", "name": $0.name] },
            "has_others": !others.isEmpty,
        ]
        if let notice { values["notice"] = notice }
        if let error { values["error"] = error }
        return try page(.providers, principal, title: "providers_title", status: status, values)
    }

    private func name(of provider: String) -> String {
        configuration.providers?.provider(provider)?.configuration.name ?? provider
    }

    func unlinkProvider() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        do {
            try await operations.unlink(form["unlink"] ?? "", of: principal, from: client())
        } catch {
            switch error.code {
            // One that is gone already is what was wanted.
            case .notFound: break
            case .refused: return try providersPage(principal, status: 403, error: sentence(for: error))
            case .reauthenticationRequired, .twoFactorRequired:
                return .seeOther(Self.proof(for: error, returnTo: Tab.providers.path) ?? Tab.providers.path)
            default: throw error
            }
        }
        return .seeOther("\(Tab.providers.path)?done=provider_unlinked")
    }

    // MARK: The sign-in page

    /// What the sign-in page offers for where it leads to.
    ///
    /// - Returns: the buttons, and whether they are all that is offered.
    func offers(_ pending: PendingSignIn, flow: String) -> (buttons: [[String: String]], alone: Bool) {
        let all = configuration.providers?.all.map(\.configuration) ?? []
        let only = pending.returnTo.flatMap { configuration.offers($0.host, $0.pathAlone) } ?? []
        let offered = all.filter { provider in
            (only.isEmpty || only.contains(provider.id))
                // Nothing else says when a person has last been asked.
                && (!pending.isStepUp || provider.kind.speaksOpenIDConnect)
        }
        let buttons = offered.map { ["href": "/.auth/oauth/\($0.id)?flow=\(flow)", "name": $0.name] }
        return (buttons, !only.isEmpty && !pending.isStepUp)
    }
}

extension ReturnAddress {
    /// The host without its port.
    var host: String { OriginParts(origin)?.host ?? "" }

    /// Without query and fragment.
    var pathAlone: String { String(path.prefix { $0 != "?" && $0 != "#" }) }
}

extension FormFields {
    /// The text of some fields, escaped.
    static func text(of fields: [(String, String)]) -> String {
        fields.map { "\(escape($0.0))=\(escape($0.1))" }.joined(separator: "&")
    }
}
