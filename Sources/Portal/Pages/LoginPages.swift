internal import Accounts
internal import Core
internal import Logging

extension Endpoint {
    static let pages: [Endpoint] = [
        Endpoint(method: "GET", path: "/.auth", face: .page) { _ in .seeOther("/.auth/account") },
        page("GET", "/login") { try $0.showLogin() },
        page("POST", "/login") { try await $0.signIn() },
        page("GET", "/logout") { try $0.showLogout() },
        page("POST", "/logout") { try await $0.signOut() },
        page("GET", "/denied") { await $0.showDenied() },
    ]
}

/// Signing in and out with a browser. A form belongs to a pending sign-in, which is kept here with where it goes on and
/// is tied to the browser by a cookie.
extension PortalRequest {
    // MARK: In

    func showLogin() throws -> Answer {
        let query = query()
        let returnTo = query["return_to"].flatMap(configuration.returns.address)
        let principal = signedIn()
        switch (query["step_up"], principal) {
        case (Reason.factorMissing.rawValue?, let principal?):
            return try stepUpByFactor(principal, to: returnTo)
        case (Reason.tooOld.rawValue?, let principal?):
            if let answer = try stepUpAnew(principal, to: returnTo) { return answer }
            return try loginForm(returnTo, stepUp: .tooOld)
        case (_, let principal?): return sendOn(principal, to: returnTo)
        case (_, nil): return try loginForm(returnTo)
        }
    }

    /// Somebody who is signed in already goes on at once, unless that is what they have just done.
    private func sendOn(_ principal: Principal, to returnTo: ReturnAddress?) -> Answer {
        guard let returnTo else { return .seeOther("/.auth/account") }
        guard portal.loops.count(principal.session, to: returnTo, at: now) else { return .seeOther(returnTo.url) }
        portal.log.warning(
            "a sign-in goes round in circles",
            metadata: [
                "reason": "login_loop", "user": "\(local.identity?.user ?? "-")", "origin": "\(returnTo.origin)",
                "request_id": "\(local.requestID)",
            ])
        return page(
            "loop", title: "loop_title", status: 403,
            ["user": local.identity?.user ?? "", "target": returnTo.url, "request": local.requestID]
        ).refused(.loginLoop)
    }

    /// A form for a sign-in or a step-up that begins now.
    ///
    /// - Parameter error: the key of the sentence that says why it begins anew.
    func loginForm(
        _ returnTo: ReturnAddress?, stepUp: Reason? = nil, enrolmentLink: String? = nil, error: String? = nil
    ) throws -> Answer {
        let (flow, pending, cookies) = try beginFlow(returnTo, stepUp: stepUp, enrolmentLink: enrolmentLink)
        let shown = error.map { ["error": text($0)] } ?? [:]
        return try loginPage(pending, flow: flow, status: error == nil ? 200 : 403, shown).setting(cookies)
    }

    /// The session that was to be proved once more has ended meanwhile: a sign-in from the beginning, to the same page.
    private func signInInstead(of pending: PendingSignIn, _ flow: String) throws -> Answer {
        portal.pending.remove(flow)
        return try loginForm(pending.returnTo, error: "session_over")
    }

    /// A sign-in or a step-up that begins now, kept for this browser.
    ///
    /// - Returns: the name of its form, what is kept of it, and the cookie that ties it to a browser that has none yet.
    func beginFlow(
        _ returnTo: ReturnAddress?, stepUp: Reason?, enrolmentLink: String? = nil
    ) throws -> (flow: String, pending: PendingSignIn, cookies: [String]) {
        var cookies: [String] = []
        let browser: String
        if let known = local.browserToken, Base64URL.decode(known)?.count == 32 {
            browser = known
        } else {
            browser = try secret()
            cookies = [self.cookies.browser(browser)]
        }
        let flow = try secret()
        let digest = try portal.forms.digest(ofBrowser: browser)
        // A way in that begins elsewhere, as a mail or a provider, goes on with the link that this browser has opened.
        if let enrolmentLink { portal.enrolmentLinks.note(enrolmentLink, ofBrowser: digest, at: now) }
        let pending = PendingSignIn(
            returnTo: returnTo, browser: digest, stepUp: stepUp,
            enrolmentLink: portal.enrolmentLinks.link(ofBrowser: digest, at: now),
            expiresAt: now + PendingSignIns.lifetime)
        portal.pending.insert(pending, id: flow, from: place)
        return (flow, pending, cookies)
    }

    /// The sign-in of a form, if it was shown to this browser.
    func pendingSignIn(_ flow: String?) throws -> (flow: String, pending: PendingSignIn)? {
        guard let flow, let browser = local.browserToken,
            let pending = portal.pending.find(flow, browser: try portal.forms.digest(ofBrowser: browser), at: now)
        else { return nil }
        return (flow, pending)
    }

    /// - Parameter shown: what goes before what every such page shows.
    func loginPage(
        _ pending: PendingSignIn, flow: String, status: Int = 200, _ shown: [String: Any] = [:]
    ) throws -> Answer {
        let offers = offers(pending, flow: flow)
        let proving = pending.isStepUp ? signedIn() : nil
        let takesPassword =
            try configuration.passwordIsEnabled && !offers.alone && (proving.map(operations.hasPassword) ?? true)
        let takesMail = configuration.magicLinkIsEnabled && configuration.sendsMail && !offers.alone
        var values: [String: Any] = [
            "flow": flow, "identifier": "", "remember": false, "step_up": pending.isStepUp,
            "password_enabled": takesPassword, "sends_mail": configuration.sendsMail,
            "providers": offers.buttons, "has_providers": !offers.buttons.isEmpty,
            "action": text(pending.isStepUp ? "confirm" : "sign_in"),
            "magic_link": takesMail,
            "autofill": !pending.isStepUp,
        ]
        if configuration.registration != .closed, configuration.sendsMail, !pending.isStepUp, !offers.alone {
            values["register"] = registerAddress(pending.returnTo)
        }
        if let user = local.identity?.user, pending.isStepUp { values["user"] = user }
        let factors = try proving.map { try operations.factors(of: $0) }
        let takesCodes = factors.map { $0.totpSince != nil || $0.backupCodes > 0 } ?? false
        if takesCodes { values["takes_codes"] = true }
        if !offers.alone {
            values.merge(passkeyValues(try passkeyOptions(isStepUp: pending.isStepUp))) { _, new in new }
        }
        let provesByPasskey = proving != nil && values["passkey_options"] != nil
        if !takesPassword, !takesMail, !takesCodes, !provesByPasskey, offers.buttons.isEmpty {
            values["no_way"] = text(pending.isStepUp ? "advice_too_old" : "no_password_sign_in")
        }
        if let origin = pending.returnTo?.origin, origin != configuration.publicURL { values["destination"] = origin }
        values.merge(shown) { _, shown in shown }
        return page(
            "login", title: pending.isStepUp ? "step_up_title" : "sign_in_title", status: status, values,
            formTargets: formTargets(pending.returnTo))
    }

    func signIn() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        guard let (flow, pending) = try pendingSignIn(form["flow"]) else {
            return try loginForm(nil, error: "form_expired")
        }
        guard !pending.isStepUp || signedIn() != nil else { return try signInInstead(of: pending, flow) }
        let password = SecretBytes(copying: Array((form["password"] ?? "").utf8))
        let identifier = form["identifier"] ?? ""
        let remember = form["remember"] == "yes"
        do {
            if pending.isStepUp, let principal = signedIn() {
                return try await prove(principal, password, pending, flow)
            }
            let signedIn = try await operations.signIn(
                identifier, password: password, as: .page(remember: remember), from: client())
            return try await finish(signedIn, pending, flow)
        } catch let error as AccountsError {
            if let partial = error.partial { return askSecondFactor(partial, flow: flow) }
            let shown: [String: Any] = ["identifier": identifier, "remember": remember]
            var answer = try loginPage(
                pending, flow: flow, status: error.code == .rateLimited ? 429 : error.code == .store ? 503 : 403,
                shown.merging(values(of: error)) { own, _ in own })
            answer.headers += PortalFailure(error).headers
            return answer
        }
    }

    func finish(_ signedIn: SignedIn, _ pending: PendingSignIn, _ flow: String) async throws -> Answer {
        portal.pending.remove(flow)
        return try await enter(signedIn, returningTo: pending.returnTo)
    }

    /// The end of every sign-in with a browser. The session that this browser had before ends: two people may share it.
    func enter(_ signedIn: SignedIn, returningTo returnTo: ReturnAddress?) async throws -> Answer {
        guard let secrets = signedIn.secrets else { throw PortalFailure.notFound }
        if let browser = local.browserToken,
            let link = portal.enrolmentLinks.link(ofBrowser: try portal.forms.digest(ofBrowser: browser), at: now)
        {
            try await operations.noteEnrolmentLink(link, session: signedIn.session)
        }
        if let old = local.identity, case .session? = old.origin {
            try await operations.signOut(old, from: client())
        }
        var cookies = self.cookies.session(secrets)
        if let device = signedIn.deviceToken { cookies.append(self.cookies.device(device)) }
        return Answer.seeOther(returnTo?.url ?? "/.auth/account").setting(cookies)
    }

    /// The session stays, its secrets change.
    private func prove(
        _ principal: Principal, _ password: SecretBytes, _ pending: PendingSignIn, _ flow: String
    ) async throws -> Answer {
        let secrets = try await operations.reauthenticate(principal, password: password, from: client())
        portal.pending.remove(flow)
        let answer = Answer.seeOther(pending.returnTo?.url ?? "/.auth/account")
        return answer.setting(secrets.map(cookies.session) ?? [])
    }

    // MARK: Out

    func showLogout() throws -> Answer {
        guard let principal = signedIn() else { return page("logout", title: "sign_out_title") }
        return page(
            "logout", title: "sign_out_title",
            ["user": local.identity?.user ?? "", "token": try portal.forms.token(for: principal.session)])
    }

    func signOut() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        var elsewhere: [String: Any] = [:]
        if let principal = signedIn(), let identity = local.identity {
            guard portal.forms.isGood(form["token"] ?? "", for: principal.session) else {
                throw PortalFailure.formExpired
            }
            let provider = provider(of: principal)
            try await operations.signOut(identity, from: client())
            // Only now: a provider that is slow keeps nobody signed in.
            if let provider { elsewhere = await signOutPage(of: provider) }
        }
        return page("signed_out", title: "signed_out_title", elsewhere).setting(cookies.none)
    }

    /// From an app's own page: the app's cookie names the session, and only that page can have sent it.
    func signOutOnAppHost() async throws -> Answer {
        let authority = local.header("host") ?? local.host
        guard SameOrigin.holds(local, origin: "", authority: authority) else { throw PortalFailure.crossSite }
        if let identity = local.identity, case .session? = identity.origin {
            try await operations.signOut(identity, from: client())
        }
        return Answer.seeOther("\(configuration.publicURL)/.auth/login").setting(cookies.noneForApps)
    }
}
