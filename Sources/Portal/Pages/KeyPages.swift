internal import Accounts
internal import Core

extension Endpoint {
    static let keys: [Endpoint] = [
        page("GET", "/account/api-keys") { try $0.showKeys() },
        page("POST", "/account/api-keys") { try await $0.changeKeys() },
    ]
}

/// The keys of whoever is signed in. A new one is shown on the answer to the form that made it, and never again.
extension PortalRequest {
    func showKeys() throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        return try keysPage(principal, notice: notice("key_revoked"))
    }

    private func keysPage(
        _ principal: Principal, status: Int = 200, new: IssuedAPIKey? = nil, notice: String? = nil,
        error: String? = nil
    ) throws -> Answer {
        let keys = try operations.apiKeys(of: principal).filter { $0.revokedAt == nil && $0.expiresAt > now }
        let lifetimes = operations.keyLifetimes
        var values: [String: Any] = [
            "keys": keys.map(shown),
            "lifetimes": lifetimes.choices.map { days -> [String: Any] in
                ["days": "\(days)", "is_usual": days == lifetimes.usual]
            },
            "scopes": configuration.keyScopes.map { ["scope": $0.name, "summary": $0.summary] },
            "has_scopes": !configuration.keyScopes.isEmpty,
        ]
        if let new { values["secret"] = new.secret }
        if let notice { values["notice"] = notice }
        if let error { values["error"] = error }
        return try page(.keys, principal, title: "keys_title", status: status, values)
    }

    private func shown(_ key: APIKey) -> [String: Any] {
        var values: [String: Any] = [
            "id": key.id, "name": key.name, "prefix": key.prefix, "expires": shown(key.expiresAt),
            "created": shown(key.createdAt), "used": key.lastUsedAt.map { shown($0) } ?? text("never"),
        ]
        if let scopes = key.scopes, !scopes.isEmpty { values["scope_list"] = scopes.joined(separator: ", ") }
        return values
    }

    func changeKeys() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        if let id = form["revoke"] {
            do {
                try await operations.revokeAPIKey(id, of: principal, from: client())
            } catch {
                // One that is over already is what was wanted.
                guard error.code == .notFound else { throw error }
            }
            return .seeOther("/.auth/account/api-keys?done=key_revoked")
        }
        let scopes = configuration.keyScopes.map(\.name).filter { form["scope " + $0] == "yes" }
        let days = form["days"].flatMap(Int64.init).flatMap { operations.keyLifetimes.choices.contains($0) ? $0 : nil }
        do {
            let issued = try await operations.createAPIKey(
                NewAPIKey(
                    user: principal.userID, name: form["name"] ?? "", scopes: scopes.isEmpty ? nil : scopes,
                    lifetime: days.map { .seconds($0 * 86_400) }), of: principal, from: client())
            return try keysPage(principal, new: issued)
        } catch {
            guard let known = error as? AccountsError, known.code == .invalid else { throw error }
            return try keysPage(principal, status: 400, error: sentence(for: known))
        }
    }
}
