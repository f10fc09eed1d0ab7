internal import Accounts
internal import Core
internal import Federation
internal import Logging

/// The ends of sessions that began at a provider: there, and here.
extension PortalRequest {
    /// The provider says that sessions are over (OpenID Connect Back-Channel Logout 1.0 section 2.5). Its signature is
    /// all the proof there is.
    func providerLogout() async throws -> Answer {
        let provider = try provider()
        let id = provider.configuration.id
        let token = try form()["logout_token"] ?? ""
        let logout: ProviderLogout
        do throws(FlowFailure) {
            logout = try await provider.logout(token)
        } catch {
            portal.log.warning(
                "a logout token was refused",
                metadata: ["provider": "\(id)", "error": "\(error)", "request_id": "\(local.requestID)"])
            // Those that are good are not counted: a provider may end many sessions at once.
            try operations.admitFederatedAnswer(from: client())
            try await operations.noteFederatedFailure("bad_logout_token", provider: id, from: client())
            throw PortalFailure(status: 400, code: "invalid_request", detail: "This is no logout token for us.")
        }
        try await operations.endSessions(
            at: id, issuer: logout.issuer, subject: logout.subject, sessionID: logout.sessionID, from: client())
        return Answer(status: 200, headers: [("Cache-Control", "no-store")])
    }

    /// Where whoever signs out here can also sign out of the provider that they came by; empty for nowhere.
    func providerSignOut(_ principal: Principal) async -> [String: Any] {
        guard let id = try? operations.provider(of: principal), let provider = configuration.providers?.provider(id),
            let url = await provider.endSessionURL(returningTo: configuration.publicURL + "/.auth/login")
        else { return [:] }
        return ["provider_url": url, "provider_name": provider.configuration.name]
    }
}
