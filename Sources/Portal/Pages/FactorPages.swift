internal import Accounts
internal import Core

extension Endpoint {
    static let factors: [Endpoint] = [
        page("GET", "/two-factor") { try $0.showTwoFactor() },
        page("POST", "/two-factor") { try await $0.twoFactor() },
        page("GET", "/account/security/two-factor") { _ in .seeOther("/.auth/account/security") },
        page("POST", "/account/security/two-factor") { try await $0.changeFactors() },
    ]
}

/// The second half of a sign-in, and step-up: one page for both. The sign-in that has come half the way is kept here, in
/// memory, beside where it goes on; the browser has no more than the name of the form.
extension PortalRequest {
    // MARK: Asking

    /// Sends a browser whose first proof was good to the page for the second.
    func askSecondFactor(_ partial: PartialSignIn, flow: String) -> Answer {
        portal.pending.note(partial, of: flow)
        return .seeOther("/.auth/two-factor?flow=\(flow)")
    }

    /// As ``askSecondFactor(_:flow:)``, for a way in that had no form of ours.
    func askSecondFactor(_ partial: PartialSignIn, returnTo: ReturnAddress?) throws -> Answer {
        let (flow, _, cookies) = try beginFlow(returnTo, stepUp: nil)
        return askSecondFactor(partial, flow: flow).setting(cookies)
    }

    /// Whoever is signed in and lacks a factor for the page that they want.
    func stepUpByFactor(_ principal: Principal, to returnTo: ReturnAddress?) throws -> Answer {
        let factors = try operations.factors(of: principal)
        // Who has proved two already lacks a passkey.
        guard (local.identity?.factors ?? 0) < 2 ? factors.hasAny : factors.passkeys > 0 else {
            return page(
                "message", title: "factor_title", status: 403,
                ["text": text("factor_text"), "request": local.requestID, "set_up": true]
            ).refused(.factorMissing)
        }
        let (flow, _, cookies) = try beginFlow(returnTo, stepUp: .factorMissing)
        return Answer.seeOther("/.auth/two-factor?flow=\(flow)").setting(cookies)
    }

    func showTwoFactor() throws -> Answer {
        guard let (flow, pending) = try pendingSignIn(query()["flow"]) else { return .seeOther("/.auth/login") }
        // A first proof is good, or a session is there: else there is nothing that a second one could be beside.
        guard pending.partial != nil || pending.isStepUp && signedIn() != nil else { return beginAgain(pending) }
        return try twoFactorPage(pending, flow: flow)
    }

    /// From the beginning, to the same page.
    func beginAgain(_ pending: PendingSignIn) -> Answer { .seeOther(loginAddress(pending.returnTo)) }

    /// - Parameter shown: what goes before what every such page shows.
    func twoFactorPage(
        _ pending: PendingSignIn, flow: String, status: Int = 200, _ shown: [String: Any] = [:]
    ) throws -> Answer {
        var values: [String: Any] = ["flow": flow, "login": loginAddress(pending.returnTo)]
        values.merge(passkeyValues(try passkeyOptions(of: pending))) { _, new in new }
        values.merge(shown) { _, shown in shown }
        if let partial = pending.partial {
            values["user"] = partial.username
            values["offers_trust"] = partial.offersTrust
            values["takes_codes"] = partial.takesCodes
            if partial.need == .enrolment { values["enrols"] = true }
        } else if let identity = local.identity, let principal = signedIn() {
            values["user"] = identity.user
            let factors = try operations.factors(of: principal)
            values["takes_codes"] =
                (identity.factors < 2 || pending.stepUp == .tooOld)
                && (factors.totpSince != nil || factors.backupCodes > 0)
        }
        return page(
            "two_factor", title: pending.partial?.need == .enrolment ? "enrol_title" : "two_factor_title",
            status: status, values, formTargets: formTargets(pending.returnTo))
    }

    /// The page with the picture and the form for the first code.
    ///
    /// - Parameter error: a first code that was wrong.
    private func setUpPage(
        _ setUp: TOTPSetUp, action: String, hidden: (name: String, value: String), _ pending: PendingSignIn?,
        _ error: AccountsError? = nil
    ) -> Answer {
        var values: [String: Any] = [
            "secret": setUp.secret, "uri": setUp.uri, "action": action, "hidden_name": hidden.name,
            "hidden_value": hidden.value,
        ]
        if let picture = QRCode(setUp.uri)?.svgAddress { values["picture"] = picture }
        if let error { values.merge(self.values(of: error)) { own, _ in own } }
        return page(
            "totp", title: "totp_title", status: error == nil ? 200 : 403, values,
            formTargets: formTargets(pending?.returnTo))
    }

    func codesPage(_ codes: [String], target: String) -> Answer {
        page("codes", title: "codes_title", ["codes": codes.map { ["code": $0] }, "target": target])
    }

    // MARK: Answering

    func twoFactor() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        guard let (flow, pending) = try pendingSignIn(form["flow"]) else { return .seeOther("/.auth/login") }
        do {
            guard let partial = pending.partial else {
                return try await stepUp(pending, flow: flow, code: form["code"] ?? "")
            }
            switch partial.need {
            case .factor:
                let signedIn = try await operations.finishSignIn(
                    partial, code: form["code"] ?? "", trustsDevice: form["trust"] == "yes", from: client())
                return try await finish(signedIn, pending, flow)
            case .enrolment: return try await enrol(partial, pending, flow: flow, form)
            }
        } catch let error as AccountsError {
            // It has to begin again.
            if error.code == .refused, pending.partial?.needsLink == true {
                return page("message", title: "enrol_title", status: 403, ["text": text("enrol_by_link")])
            }
            if let next = error.partial { return askSecondFactor(next, flow: flow) }
            if error.code == .invalidToken {
                portal.pending.remove(flow)
                return beginAgain(pending)
            }
            var answer = try twoFactorPage(
                pending, flow: flow, status: PortalFailure(error).statusOfForm, values(of: error))
            answer.headers += PortalFailure(error).headers
            return answer
        }
    }

    /// Whoever has proved two factors proves the second one anew, and with it who is there: a password would leave it as
    /// old as it is. Nil where there is nothing to be asked for.
    func stepUpAnew(_ principal: Principal, to returnTo: ReturnAddress?) throws -> Answer? {
        let factors = try operations.factors(of: principal)
        let canBeAsked =
            factors.totpSince != nil || factors.backupCodes > 0 || factors.passkeys > 0 && operations.passkeysAreEnabled
        guard factors.isAskedAgain, canBeAsked else { return nil }
        let (flow, _, cookies) = try beginFlow(returnTo, stepUp: .tooOld)
        return Answer.seeOther("/.auth/two-factor?flow=\(flow)").setting(cookies)
    }

    private func stepUp(_ pending: PendingSignIn, flow: String, code: String) async throws -> Answer {
        guard pending.isStepUp, let principal = signedIn() else { return beginAgain(pending) }
        let secrets = try await operations.reauthenticate(principal, code: code, from: client())
        portal.pending.remove(flow)
        return Answer.seeOther(pending.returnTo?.url ?? "/.auth/account").setting(secrets.map(cookies.session) ?? [])
    }

    private func enrol(
        _ partial: PartialSignIn, _ pending: PendingSignIn, flow: String, _ form: FormFields
    ) async throws -> Answer {
        let hidden = (name: "flow", value: flow)
        guard let code = form["code"] else {
            let setUp = try await operations.setUpTOTP(
                partial, link: pending.enrolmentLink, from: client())
            return setUpPage(setUp, action: "/.auth/two-factor", hidden: hidden, pending)
        }
        do {
            let (signedIn, codes) = try await operations.finishEnrolment(
                partial, link: pending.enrolmentLink, code: code, from: client())
            var answer = try await finish(signedIn, pending, flow)
            let cookies = answer.headers.filter { $0.name == "Set-Cookie" }
            guard !codes.isEmpty else { return answer }
            answer = codesPage(codes, target: pending.returnTo?.url ?? "/.auth/account")
            answer.headers += cookies
            return answer
        } catch let error as AccountsError where error.code == .invalidCode {
            return setUpPage(
                try operations.pendingTOTP(of: partial, link: pending.enrolmentLink), action: "/.auth/two-factor",
                hidden: hidden, pending, error)
        }
    }

    // MARK: The account's own page

    /// What the security page says of second factors.
    func factorValues(_ principal: Principal) throws -> [String: Any] {
        let factors = try operations.factors(of: principal)
        var values: [String: Any] = ["codes_left": "\(factors.backupCodes)"]
        if let since = factors.totpSince { values["totp_since"] = shown(since) }
        if factors.hasAny { values["has_factors"] = true }
        values.merge(try passkeySection(principal)) { _, new in new }
        return values
    }

    func changeFactors() async throws -> Answer {
        guard let principal = signedIn() else { return signInFirst }
        let form = try checkedForm(principal)
        let home = "/.auth/account/security"
        do {
            switch form["step"] {
            case "set_up":
                let setUp = try await operations.setUpTOTP(principal, showsCodes: false, from: client())
                return try setUpPage(setUp, of: principal)
            case "confirm": return try await confirmTOTP(principal, form["code"] ?? "")
            case "disable":
                try await operations.disableTOTP(principal, code: form["code"] ?? "", from: client())
                return .seeOther(home + "?done=factor_removed")
            case "codes":
                let codes = try await operations.renewBackupCodes(principal, code: form["code"] ?? "", from: client())
                return codesPage(codes, target: home)
            default: return .seeOther(home)
            }
        } catch let error as AccountsError {
            guard [.invalidCode, .accountLocked, .rateLimited, .refused, .exists].contains(error.code) else {
                throw error
            }
            return try securityPage(principal, error)
        }
    }

    private func confirmTOTP(_ principal: Principal, _ code: String) async throws -> Answer {
        do {
            let (secrets, codes) = try await operations.confirmTOTP(principal, code: code, from: client())
            let cookies = secrets.map(self.cookies.session) ?? []
            guard !codes.isEmpty else {
                return Answer.seeOther("/.auth/account/security?done=factor_added").setting(cookies)
            }
            return codesPage(codes, target: "/.auth/account/security").setting(cookies)
        } catch {
            guard error.code == .invalidCode else { throw error }
            return try setUpPage(
                try operations.pendingTOTP(of: principal), of: principal, error)
        }
    }

    private func setUpPage(
        _ setUp: TOTPSetUp, of principal: Principal, _ error: AccountsError? = nil
    ) throws -> Answer {
        setUpPage(
            setUp, action: "/.auth/account/security/two-factor",
            hidden: (name: "token", value: try portal.forms.token(for: principal.session)), nil, error)
    }
}

extension PortalRequest {
    /// Where a change wants a proof that is fresh, or one more factor: the way there and back to the page.
    func proofFirst(_ error: AccountsError) -> Answer? {
        let home = "/.auth/account/security"
        return Self.proof(for: error, returnTo: local.path.hasPrefix(home) ? home : local.path).map { .seeOther($0) }
    }

    /// Where a person proves what is missing, and comes back from; nil when it is something else.
    static func proof(for error: AccountsError, returnTo path: String) -> String? {
        let missing: Reason
        switch (error.code, error.partial == nil) {
        case (.reauthenticationRequired, _): missing = .tooOld
        case (.twoFactorRequired, true): missing = .factorMissing
        default: return nil
        }
        return "/.auth/login?step_up=\(missing.rawValue)&return_to=\(path)"
    }
}

extension PortalFailure {
    /// Beside a form that is shown again: whoever asks is nobody yet, so 401 would be for no credential.
    var statusOfForm: Int { status == 400 || status == 401 ? 403 : status }
}
