internal import Accounts
internal import Core

extension Endpoint {
    static let magicLinks: [Endpoint] = [
        page("GET", "/magic-link") { try $0.showMagicLinkForm() },
        page("POST", "/magic-link") { try await $0.requestMagicLink() },
        page("GET", "/magic-link/{token}") { try $0.showMagicLink() },
        page("POST", "/magic-link/{token}") { try await $0.useMagicLink() },
        api("POST", "/magic-link/request") { try await $0.apiRequestMagicLink() },
        api("POST", "/magic-link/verify") { try await $0.apiUseMagicLink() },
    ]
}

private enum MagicLinkWire {
    struct Request: APIBody {
        var email: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case email
        }
    }

    struct Verify: APIBody {
        var token: String
        var code: String?
        var deviceName: String?
        var passkey: SecondPasskey?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case token, passkey
            case code = "two_factor_code"
            case deviceName = "device_name"
        }
    }
}

/// Signing in by a link that was mailed. It is good in the browser that asked for it, which the cookie of its login form
/// tells: who reads a mail elsewhere, or talks somebody into opening one, signs nobody in. Where an API client asked it is
/// good there and on no page. To look at the page uses nothing up.
extension PortalRequest {
    private var token: String { parameters["token"] ?? "" }

    private func requireMagicLinks() throws(PortalFailure) {
        guard configuration.magicLinkIsEnabled, configuration.sendsMail else { throw PortalFailure.notFound }
    }

    // MARK: Asking for one

    func showMagicLinkForm() throws -> Answer {
        try requireMagicLinks()
        return try magicLinkForm(query()["return_to"].flatMap(configuration.returns.address))
    }

    /// A form of a sign-in that begins now.
    private func magicLinkForm(
        _ returnTo: ReturnAddress?, template: String = "magic", title: String = "magic_title", error: String? = nil,
        status: Int = 200
    ) throws -> Answer {
        let (flow, pending, cookies) = try beginFlow(returnTo, stepUp: nil)
        var values = magicLinkValues(pending, flow: flow)
        if let error { values["error"] = error }
        return page(template, title: title, status: status, values).setting(cookies)
    }

    private func magicLinkValues(_ pending: PendingSignIn, flow: String, email: String = "") -> [String: Any] {
        ["flow": flow, "email": email, "login": loginAddress(pending.returnTo)]
    }

    /// The same answer for every address.
    func requestMagicLink() async throws -> Answer {
        try requireMagicLinks()
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        guard let (flow, pending) = try pendingSignIn(form["flow"]) else {
            return try magicLinkForm(nil, error: text("form_expired"), status: 403)
        }
        let email = form["email"] ?? ""
        do {
            try await operations.requestMagicLink(
                email, browser: local.browserToken, returnTo: pending.returnTo?.url, from: client())
        } catch {
            return page(
                "magic", title: "magic_title", refusing: error, magicLinkValues(pending, flow: flow, email: email))
        }
        return page("magic_sent", title: "mail_sent_title", ["login": loginAddress(pending.returnTo)])
    }

    // MARK: Using it

    func showMagicLink() throws -> Answer {
        try requireMagicLinks()
        do {
            return try magicLinkPage(try operations.magicLink(at: token, browser: local.browserToken))
        } catch let error as AccountsError {
            guard error.code == .invalidToken else { throw error }
            return deadLink
        }
    }

    private func magicLinkPage(_ link: OpenedMagicLink) throws -> Answer {
        let returnTo = link.returnTo.flatMap(configuration.returns.address)
        guard link.isOfThisBrowser else {
            return try magicLinkForm(
                returnTo, template: "magic_elsewhere", title: "magic_elsewhere_title", status: 403)
        }
        var values: [String: Any] = ["action": local.path, "user": link.user.username]
        if let origin = returnTo?.origin, origin != configuration.publicURL { values["destination"] = origin }
        // Whoever is signed in as somebody else sees that they will not be any more, and who they will be.
        if let present = signedIn(), present.userID != link.user.id, let user = local.identity?.user {
            values["present"] = user
        }
        return page("magic_confirm", title: "sign_in_title", values, formTargets: formTargets(returnTo))
    }

    func useMagicLink() async throws -> Answer {
        try requireMagicLinks()
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        var returnTo: ReturnAddress?
        do {
            let link = try operations.magicLink(at: token, browser: local.browserToken)
            guard link.isOfThisBrowser else { return try magicLinkPage(link) }
            returnTo = link.returnTo.flatMap(configuration.returns.address)
            let signedIn = try await operations.signIn(
                magicLink: token, browser: local.browserToken, as: .page(remember: form["remember"] == "yes"),
                from: client())
            return try await enter(signedIn, returningTo: returnTo)
        } catch let error as AccountsError {
            if let partial = error.partial { return try askSecondFactor(partial, returnTo: returnTo) }
            guard error.code == .invalidToken else { throw error }
            return deadLink
        }
    }

    // MARK: For programs

    func apiRequestMagicLink() async throws -> Answer {
        let email = try body(MagicLinkWire.Request.self).email
        guard configuration.sendsMail || !configuration.magicLinkIsEnabled else { throw PortalFailure.noMail }
        try await operations.requestMagicLink(email, browser: nil, from: client())
        return Self.accepted
    }

    func apiUseMagicLink() async throws -> Answer {
        let (proof, text) = try bodies(MagicLinkWire.Verify.self)
        let signedIn = try await operations.signIn(
            magicLink: proof.token, browser: local.browserToken, code: proof.code,
            passkey: try secondPasskey(text), as: .api, from: client(deviceName: proof.deviceName))
        return try tokens(of: signedIn)
    }
}
