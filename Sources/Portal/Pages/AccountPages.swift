internal import Accounts
internal import Core

extension Endpoint {
    static let account: [Endpoint] = [
        page("GET", "/account") { try $0.showAccount() },
        page("POST", "/account") { try await $0.saveProfile() },
        page("GET", "/account/sessions") { try $0.showSessions() },
        page("POST", "/account/sessions") { try await $0.endSessions() },
        page("GET", "/account/security") { try $0.showSecurity() },
        page("POST", "/account/security") { try await $0.changePassword() },
    ]
}

/// The pages of a person's own account.
extension PortalRequest {
    enum Tab: String, CaseIterable {
        case account, sessions, security, providers, keys, activity

        var path: String {
            switch self {
            case .account: "/.auth/account"
            case .sessions, .security, .providers, .activity: "/.auth/account/\(rawValue)"
            case .keys: "/.auth/account/api-keys"
            }
        }
    }

    /// Nobody is sent to sign in and comes back.
    var signInFirst: Answer {
        .seeOther("/.auth/login?return_to=\(local.path)")
    }

    func page(
        _ tab: Tab, _ principal: Principal, title: String, status: Int = 200, _ values: [String: Any]
    ) throws -> Answer {
        var all = values
        all["token"] = try portal.forms.token(for: principal.session)
        var tabs = Tab.allCases
        if !configuration.hasProviders { tabs.removeAll { $0 == .providers } }
        var links: [[String: Any]] = tabs.map {
            ["href": $0.path, "label": text($0.rawValue), "current": $0 == tab]
        }
        links.append(["href": "/.auth/logout", "label": text("sign_out"), "current": false])
        all["links"] = links
        all["wide"] = true
        return page(tab.rawValue, title: title, status: status, all)
    }

    /// A form of this very session, sent from one of our pages.
    func checkedForm(_ principal: Principal) throws(PortalFailure) -> FormFields {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        guard portal.forms.isGood(form["token"] ?? "", for: principal.session) else { throw PortalFailure.formExpired }
        return form
    }

    // MARK: Profile

    func showAccount() throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        return try accountPage(principal, try operations.user(principal), notice: notice("saved", "email_asked"))
    }

    func saveProfile() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        if let email = form["email"] { return try await changeEmail(principal, to: email) }
        do {
            _ = try await operations.rename(principal, to: form["name"] ?? "", from: client())
            return .seeOther("/.auth/account?done=saved")
        } catch {
            guard error.code == .invalid else { throw error }
            return try accountPage(
                principal, try operations.user(principal), status: 400,
                more: ["name": form["name"] ?? ""].merging(values(of: error)) { own, _ in own })
        }
    }

    /// - Parameter more: goes before what every such page shows.
    func accountPage(
        _ principal: Principal, _ user: User, status: Int = 200, notice: String? = nil, more: [String: Any] = [:]
    ) throws -> Answer {
        var values: [String: Any] = ["user": user.username, "email": user.email, "name": user.name]
        if !user.groups.isEmpty { values["groups"] = user.groups.joined(separator: ", ") }
        if let notice { values["notice"] = notice }
        values.merge(try emailChange(principal)) { own, _ in own }
        values.merge(more) { _, more in more }
        return try page(.account, principal, title: "account_title", status: status, values)
    }

    /// What the page before has done, told once more; only words that we know.
    func notice(_ keys: String...) -> String? {
        let query = query()
        return keys.first { $0 == query["done"] }.map(text)
    }

    // MARK: Devices

    func showSessions() throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let (part, isNewest) = try shownPart { before throws(AccountsError) in
            try operations.sessions(of: principal, limit: Self.shownAtOnce, before: before)
        }
        let hasOthers = part.next != nil || !isNewest || part.items.contains { !$0.isCurrent }
        var values: [String: Any] = ["sessions": part.items.map(shown), "has_others": hasOthers]
        values.merge(otherParts(of: .sessions, next: part.next, isNewest: isNewest)) { own, _ in own }
        if let notice = notice("session_ended", "others_ended") { values["notice"] = notice }
        return try page(.sessions, principal, title: "sessions_title", values)
    }

    private func shown(_ session: Session) -> [String: Any] {
        var values: [String: Any] = [
            "id": session.id, "device": session.deviceName ?? text("unknown_device"),
            "is_current": session.isCurrent, "created_at": shown(session.createdAt),
            "last_activity": shown(session.lastActivity ?? session.createdAt),
        ]
        if let address = session.ipAddress { values["address"] = address }
        return values
    }

    func endSessions() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        if form["others"] == "yes" {
            try await operations.revokeSessions(of: principal, from: client())
            return .seeOther("/.auth/account/sessions?done=others_ended")
        }
        do {
            try await operations.revokeSession(form["session"] ?? "", of: principal, from: client())
        } catch {
            // One that is over already is what was wanted.
            guard error.code == .notFound else { throw error }
        }
        return .seeOther("/.auth/account/sessions?done=session_ended")
    }

    // MARK: Password

    func showSecurity() throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        var values: [String: Any] = [:]
        if let notice = notice("password_changed", "factor_added", "factor_removed", "saved") {
            values["notice"] = notice
        }
        return try securityPage(principal, values)
    }

    func securityPage(_ principal: Principal, status: Int = 200, _ values: [String: Any]) throws -> Answer {
        var all = try factorValues(principal)
        // So that the browser's own store of passwords knows whose the new one is.
        all["user"] = local.identity?.user ?? ""
        let hasPassword = try operations.hasPassword(principal)
        all["password_enabled"] = configuration.passwordIsEnabled && hasPassword
        // Without a mail there is no way to a first one.
        all["no_password"] = configuration.passwordIsEnabled && !hasPassword && configuration.sendsMail
        all["shortest_password"] = shortestPassword
        all.merge(values) { _, new in new }
        return try page(.security, principal, title: "security_title", status: status, all)
    }

    /// - Parameter marks: whether the failure is about a field of a form that is there once.
    func securityPage(_ principal: Principal, _ error: AccountsError, marks: Bool = true) throws -> Answer {
        let failure = PortalFailure(error)
        var answer = try securityPage(
            principal, status: failure.status == 401 ? 403 : failure.status == 429 ? 429 : 400,
            marks ? values(of: error) : ["error": sentence(for: error)])
        answer.headers += failure.headers
        return answer
    }

    func changePassword() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        do {
            let secrets = try await operations.changePassword(
                of: principal, current: SecretBytes(copying: Array((form["current"] ?? "").utf8)),
                to: SecretBytes(copying: Array((form["new"] ?? "").utf8)), from: client())
            return Answer.seeOther("/.auth/account/security?done=password_changed")
                .setting(secrets.map(cookies.session) ?? [])
        } catch {
            return try proofFirst(error) ?? securityPage(principal, error)
        }
    }
}
