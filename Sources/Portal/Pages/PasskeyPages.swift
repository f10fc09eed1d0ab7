internal import Accounts
internal import Core

extension Endpoint {
    static let passkeys: [Endpoint] = [
        page("POST", "/passkey") { try await $0.usePasskey() },
        page("GET", "/account/security/passkeys") { _ in .seeOther("/.auth/account/security") },
        page("POST", "/account/security/passkeys") { try await $0.changePasskeys() },
        page("GET", "/enrol-factor/{token}") { try $0.showEnrolment() },
    ]
}

/// Passkeys on the pages: to sign in by, as second factor, to prove oneself again, and in the account. A script fills the
/// hidden field of an ordinary form, so that cookies, forms and where it goes on are as everywhere else.
extension PortalRequest {
    /// What a page with a form for passkeys needs.
    func passkeyValues(_ options: [UInt8]?) -> [String: Any] {
        guard let options else { return [:] }
        return ["passkey_options": String(decoding: options, as: UTF8.self)]
    }

    /// Of a login page: whoever comes, or the one who is signed in and proves it once more.
    func passkeyOptions(isStepUp: Bool) throws -> [UInt8]? {
        guard operations.passkeysAreEnabled else { return nil }
        if isStepUp, let principal = signedIn() { return try operations.beginPasskeyProof(principal) }
        return try operations.beginPasskeySignIn()
    }

    /// Of a two-factor page.
    func passkeyOptions(of pending: PendingSignIn) throws -> [UInt8]? {
        if let partial = pending.partial { return try operations.beginPasskeyProof(partial) }
        return try signedIn().flatMap { try operations.beginPasskeyProof($0) }
    }

    // MARK: Signing in

    func usePasskey() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        guard let (flow, pending) = try pendingSignIn(form["flow"]) else { return .seeOther("/.auth/login") }
        do {
            guard let proof = PasskeyProof(json: Array((form["credential"] ?? "").utf8)) else {
                throw AccountsError(.invalid, "The passkey's answer cannot be read.")
            }
            if let partial = pending.partial {
                let signedIn = try await operations.finishSignIn(
                    partial, passkey: proof, trustsDevice: form["trust"] == "yes", from: client())
                return try await finish(signedIn, pending, flow)
            }
            if pending.isStepUp {
                guard let principal = signedIn() else { return beginAgain(pending) }
                let secrets = try await operations.reauthenticate(principal, passkey: proof, from: client())
                portal.pending.remove(flow)
                return Answer.seeOther(pending.returnTo?.url ?? "/.auth/account")
                    .setting(secrets.map(cookies.session) ?? [])
            }
            let signedIn = try await operations.signIn(
                passkey: proof, as: .page(remember: form["remember"] == "yes"), from: client())
            return try await finish(signedIn, pending, flow)
        } catch let error as AccountsError {
            if let partial = error.partial { return askSecondFactor(partial, flow: flow) }
            if error.code == .invalidToken {
                portal.pending.remove(flow)
                return beginAgain(pending)
            }
            return try passkeyFailed(error, pending, flow: flow)
        }
    }

    private func passkeyFailed(_ error: AccountsError, _ pending: PendingSignIn, flow: String) throws -> Answer {
        let sentence =
            [.invalidCredentials, .invalid].contains(error.code) ? text("passkey_failed") : sentence(for: error)
        let status = PortalFailure(error).statusOfForm
        var answer =
            try wantsSecondFactor(pending)
            ? try twoFactorPage(pending, flow: flow, status: status, ["error": sentence])
            : try loginPage(pending, flow: flow, status: status, ["error": sentence])
        answer.headers += PortalFailure(error).headers
        return answer
    }

    /// The page that asked was the one for second factors, where a password would be of no use.
    private func wantsSecondFactor(_ pending: PendingSignIn) throws -> Bool {
        guard pending.partial == nil, pending.stepUp != .factorMissing else { return true }
        guard pending.isStepUp, let principal = signedIn() else { return false }
        return try operations.factors(of: principal).isAskedAgain
    }

    // MARK: The account's own

    func changePasskeys() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        let home = "/.auth/account/security"
        do {
            switch form["step"] {
            case "add": return try await addPasskey(principal, form)
            case "rename":
                try await operations.renamePasskey(
                    form["passkey"] ?? "", of: principal, to: form["name"] ?? "", from: client())
                return .seeOther(home + "?done=saved")
            case "remove":
                try await operations.removePasskey(form["passkey"] ?? "", of: principal, from: client())
                return .seeOther(home + "?done=factor_removed")
            default: return .seeOther(home)
            }
        } catch let error as AccountsError {
            guard [.invalid, .exists, .refused, .rateLimited, .notFound].contains(error.code) else { throw error }
            return try securityPage(principal, error, marks: false)
        }
    }

    private func addPasskey(_ principal: Principal, _ form: FormFields) async throws -> Answer {
        guard let registration = PasskeyRegistration(json: Array((form["credential"] ?? "").utf8)) else {
            return try passkeyRefused(principal)
        }
        let secrets: SessionSecrets?
        let codes: [String]
        do throws(AccountsError) {
            (_, secrets, codes) = try await operations.addPasskey(
                principal, registration, name: form["name"] ?? "", givesCodes: true, from: client())
        } catch {
            guard error.code == .invalid, error.problem == nil else { throw error }
            return try passkeyRefused(principal)
        }
        let cookies = secrets.map(self.cookies.session) ?? []
        guard !codes.isEmpty else {
            return Answer.seeOther("/.auth/account/security?done=factor_added").setting(cookies)
        }
        return codesPage(codes, target: "/.auth/account/security").setting(cookies)
    }

    /// What the new passkey's answer says cannot be read or is not true.
    private func passkeyRefused(_ principal: Principal) throws -> Answer {
        try securityPage(principal, status: 400, ["error": text("passkey_failed")])
    }

    /// What the security page says of passkeys. A new one is offered right away only while the proof is fresh.
    func passkeySection(_ principal: Principal) throws -> [String: Any] {
        guard operations.passkeysAreEnabled else { return [:] }
        let passkeys = try operations.passkeys(of: principal)
        var values: [String: Any] = [
            "passkeys_enabled": true, "passkeys": passkeys.map(shown), "has_passkeys": !passkeys.isEmpty,
        ]
        if let options = try? operations.beginPasskey(principal) {
            values.merge(passkeyValues(options)) { _, new in new }
        }
        return values
    }

    private func shown(_ passkey: Passkey) -> [String: Any] {
        var values: [String: Any] = [
            "id": passkey.id, "name": passkey.name, "created": shown(passkey.createdAt),
            "used": passkey.lastUsedAt.map { shown($0) } ?? text("never"),
        ]
        if passkey.backedUp { values["backed_up"] = true }
        return values
    }

    // MARK: After a reset

    /// The link that the operator had made: a sign-in begins that may set up a new factor. It opens nothing by itself.
    func showEnrolment() throws -> Answer {
        let token = parameters["token"] ?? ""
        guard (try? operations.look(at: token, for: [.enrolFactor])) != nil else {
            return page("message", title: "link_title", status: 400, ["text": text("link_text")])
        }
        return try loginForm(nil, enrolmentLink: token)
    }
}
