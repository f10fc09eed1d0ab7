internal import Accounts
internal import Core

extension Endpoint {
    static let registration: [Endpoint] = [
        page("GET", "/register") { try $0.showRegister() },
        page("POST", "/register") { try await $0.register() },
        page("GET", "/verify-email/{token}") { try $0.showVerifyEmail() },
        page("POST", "/verify-email/{token}") { try await $0.verifyEmail() },
        api("POST", "/register") { try await $0.apiRegister() },
        api("POST", "/email/verify") { try await $0.apiVerifyEmail() },
    ]
}

private enum RegistrationWire {
    struct Register: APIBody {
        var email: String
        /// Not looked at where there are no passwords.
        var password: String?
        var name: String?
        /// Of the mails; nil: as `Accept-Language` has it.
        var language: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case email, password, name, language
        }
    }

    struct Verify: APIBody {
        var token: String
        var password: String?
        var name: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case token, password, name
        }
    }
}

/// Registering. The page asks for an address and no password: that is chosen where the mail leads, by whoever reads it.
/// Nothing here tells whether an address has an account.
extension PortalRequest {
    // MARK: The address

    func showRegister() throws -> Answer {
        try requireRegistration()
        return registerPage(returnTo: query()["return_to"].flatMap(configuration.returns.address))
    }

    private func requireRegistration() throws(PortalFailure) {
        guard configuration.registration != .closed, configuration.sendsMail else { throw PortalFailure.notFound }
    }

    private func registerPage(
        returnTo: ReturnAddress?, email: String = "", name: String = "", error: AccountsError? = nil
    ) -> Answer {
        var values: [String: Any] = [
            "email": email, "name": name, "is_invited_only": configuration.registration == .invited,
            "login": loginAddress(returnTo),
        ]
        if let returnTo { values["return_to"] = returnTo.url }
        guard let error else { return page("register", title: "register_title", values) }
        return page("register", title: "register_title", refusing: error, values)
    }

    /// The sign-in page that leads on to an address.
    func loginAddress(_ returnTo: ReturnAddress?) -> String { address("/.auth/login", returnTo) }

    /// The page that registers and then leads on to an address.
    func registerAddress(_ returnTo: ReturnAddress?) -> String { address("/.auth/register", returnTo) }

    private func address(_ page: String, _ returnTo: ReturnAddress?) -> String {
        guard let returnTo else { return page }
        return page + "?return_to=" + FormFields.escape(returnTo.url)
    }

    /// The same answer for every address; with a button that sends the mail once more.
    func register() async throws -> Answer {
        try requireRegistration()
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        let (email, name) = (form["email"] ?? "", form["name"] ?? "")
        let returnTo = form["return_to"].flatMap(configuration.returns.address)
        do {
            try await operations.register(email, password: nil, name: name, returnTo: returnTo?.url, from: client())
        } catch {
            return registerPage(returnTo: returnTo, email: email, name: name, error: error)
        }
        var values: [String: Any] = ["email": email, "name": name]
        if let returnTo { values["return_to"] = returnTo.url }
        return page("register_sent", title: "mail_sent_title", values)
    }

    // MARK: The mail

    private var token: String { parameters["token"] ?? "" }

    /// The registration that the link is of; nil for another kind of link.
    private func pendingRegistration() throws -> Result<PendingRegistration?, PortalFailure> {
        do {
            return .success(try operations.registration(at: token))
        } catch {
            guard error.code == .invalidToken else { throw error }
            return .failure(.notFound)
        }
    }

    func showVerifyEmail() throws -> Answer {
        switch try pendingRegistration() {
        case .failure: deadLink
        case .success(nil): showConfirmation(.verifyEmail)
        case .success(let pending?): verifyPage(pending, name: pending.name)
        }
    }

    private func verifyPage(_ pending: PendingRegistration, name: String, error: AccountsError? = nil) -> Answer {
        let values: [String: Any] = [
            "action": local.path, "email": pending.email, "name": name,
            "password_enabled": configuration.passwordIsEnabled, "shortest_password": shortestPassword,
        ]
        guard let error else { return page("verify", title: "verify_email_title", values) }
        return page("verify", title: "verify_email_title", refusing: error, values)
    }

    func verifyEmail() async throws -> Answer {
        let pending: PendingRegistration
        switch try pendingRegistration() {
        case .failure: return deadLink
        case .success(nil): return try await confirm(.verifyEmail)
        case .success(let found?): pending = found
        }
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        let name = form["name"] ?? ""
        do {
            // Never nil: whoever is here has read the mail, and what was registered with may be another's.
            try await operations.verifyEmail(
                token, password: SecretBytes(copying: Array((form["new"] ?? "").utf8)), name: name,
                language: language.mail, from: client())
        } catch {
            if error.code == .invalidToken { return deadLink }
            return verifyPage(pending, name: name, error: error)
        }
        return page(
            "registered", title: "done_title",
            ["login": loginAddress(pending.returnTo.flatMap(configuration.returns.address))])
    }

    // MARK: For programs

    func apiRegister() async throws -> Answer {
        let wanted = try body(RegistrationWire.Register.self)
        guard configuration.registration == .closed || configuration.sendsMail else { throw PortalFailure.noMail }
        guard wanted.password != nil || !configuration.passwordIsEnabled else {
            throw PortalFailure(status: 400, code: "invalid_request", detail: "The password is missing.")
        }
        var client = client()
        if let wanted = wanted.language {
            guard let language = Language(rawValue: wanted), configuration.look.languages.contains(language) else {
                throw PortalFailure(status: 400, code: "invalid_request", detail: "There is no such language here.")
            }
            client.language = language.mail
        }
        try await operations.register(
            wanted.email, password: wanted.password.map { SecretBytes(copying: Array($0.utf8)) },
            name: wanted.name ?? "", from: client)
        return Self.accepted
    }

    func apiVerifyEmail() async throws -> Answer {
        let proof = try body(RegistrationWire.Verify.self)
        try await operations.verifyEmail(
            proof.token, password: proof.password.map { SecretBytes(copying: Array($0.utf8)) }, name: proof.name,
            from: client())
        return Self.noContent
    }
}
