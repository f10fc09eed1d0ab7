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
        return try keysPage(principal, notice("key_revoked").map { ["notice": $0] } ?? [:])
    }

    /// - Parameter shown: what goes before what every such page shows.
    private func keysPage(_ principal: Principal, status: Int = 200, _ shown: [String: Any] = [:]) throws -> Answer {
        let (part, isNewest) = try shownPart { before throws(AccountsError) in
            try operations.goodAPIKeys(of: principal, limit: Self.shownAtOnce, before: before)
        }
        let lifetimes = operations.keyLifetimes
        var values = keyForm(FormFields())
        values["keys"] = part.items.map { self.shown($0) }
        values["lifetimes"] = lifetimes.choices.map { days -> [String: Any] in
            ["days": "\(days)", "is_usual": days == lifetimes.usual]
        }
        values.merge(otherParts(of: .keys, next: part.next, isNewest: isNewest)) { own, _ in own }
        values.merge(shown) { _, shown in shown }
        return try page(.keys, principal, title: "keys_title", status: status, values)
    }

    /// What the form for a new key shows: what was entered, if anything.
    private func keyForm(_ form: FormFields) -> [String: Any] {
        [
            "name": form["name"] ?? "", "routes": form["routes"] ?? "",
            "wants_routes": operations.keyRules.requiresRoutes, "has_scopes": !configuration.keyScopes.isEmpty,
            "scopes": configuration.keyScopes.map { scope -> [String: Any] in
                ["scope": scope.name, "summary": scope.summary, "is_chosen": form["scope " + scope.name] == "yes"]
            },
        ]
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
        do {
            let issued = try await operations.createAPIKey(newKey(form, of: principal), of: principal, from: client())
            return try keysPage(principal, ["secret": issued.secret])
        } catch let error as AccountsError {
            guard error.code == .invalid || error.problem != nil else { throw error }
            let shown = keyForm(form).merging(values(of: error)) { own, _ in own }
            return try keysPage(principal, status: PortalFailure(error).status, shown)
        }
    }

    /// What the form asks for. Of lifetimes it offers a few: anything else is as if nothing had been chosen.
    private func newKey(_ form: FormFields, of principal: Principal) -> NewAPIKey {
        let scopes = configuration.keyScopes.map(\.name).filter { form["scope " + $0] == "yes" }
        let routes = (form["routes"] ?? "").split { $0 == "," || $0.isWhitespace }.map(String.init)
        let lifetimes = operations.keyLifetimes
        let days = form["days"].flatMap(Int64.init).flatMap { days in
            lifetimes.choices.contains(days) && days != lifetimes.usual ? days : nil
        }
        return NewAPIKey(
            user: principal.userID, name: form["name"] ?? "", scopes: scopes.isEmpty ? nil : scopes,
            routes: routes.isEmpty ? nil : routes, lifetime: days.map { .seconds($0 * 86_400) })
    }
}
