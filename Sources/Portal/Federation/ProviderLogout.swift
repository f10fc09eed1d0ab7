internal import Accounts
internal import Core
internal import Federation
internal import Logging

/// What a provider is told in OAuth's way (RFC 6749 section 5.2).
private struct LogoutError: Encodable {
    var error: String
    var errorDescription: String

    enum CodingKeys: String, CodingKey {
        case error
        case errorDescription = "error_description"
    }
}

/// The ends of sessions that began at a provider: there, and here.
extension PortalRequest {
    /// The provider says that sessions are over (OpenID Connect Back-Channel Logout 1.0 section 2.5). Its signature is
    /// all the proof there is. Whatever is not carried out is answered with 400 (section 2.8).
    func providerLogout() async throws -> Answer {
        let provider = try provider()
        let id = provider.configuration.id
        try operations.admitProviderLogout(from: client())
        // A member that is there twice makes it no form.
        let token = (try? form())?["logout_token"] ?? ""
        do throws(LogoutRefusal) {
            let logout = try await provider.logout(token)
            guard try await ended(logout, at: id) else { throw LogoutRefusal.replayed }
        } catch {
            // Counted here, so that a provider may end many sessions at once while a flood of others is not written down.
            let refusal = error
            do throws(AccountsError) {
                try await operations.noteRefusedLogout(refusal.code.rawValue, provider: id, from: client())
            } catch {
                // A store that cannot be written is what kept it from being done.
                if error.code == .rateLimited { throw error }
            }
            portal.log.warning(
                "a logout token was refused",
                metadata: ["provider": "\(id)", "error": "\(error)", "request_id": "\(local.requestID)"])
            return try refusedLogout(error)
        }
        return Answer(status: 200, headers: [("Cache-Control", "no-store")])
    }

    /// - Returns: whether it was the first with this token.
    /// - Throws: `unavailable` when the store could not do it.
    private func ended(_ logout: ProviderLogout, at provider: String) async throws(LogoutRefusal) -> Bool {
        let notice = LogoutNotice(
            provider: provider, issuer: logout.issuer, subject: logout.subject, sessionID: logout.sessionID,
            tokenID: logout.tokenID, goodUntil: logout.goodUntil)
        do throws(AccountsError) {
            return try await operations.endSessions(notice, from: client()) != nil
        } catch {
            throw LogoutRefusal.notDone("\(error)")
        }
    }

    private func refusedLogout(_ refusal: LogoutRefusal) throws -> Answer {
        let isOurs = refusal.code == .unavailable
        return try json(
            LogoutError(
                error: isOurs ? "temporarily_unavailable" : "invalid_request",
                errorDescription: isOurs
                    ? "The sessions could not be ended: try again."
                    : "This is no logout token for us, is too old, or was used before."), status: 400)
    }

    /// The provider that somebody came by, if it is one that they may sign out of.
    func provider(of principal: Principal) -> Provider? {
        guard let id = try? operations.provider(of: principal) else { return nil }
        return configuration.providers?.provider(id)
    }

    /// Where whoever has signed out here can also sign out of their provider; empty for nowhere.
    func signOutPage(of provider: Provider) async -> [String: Any] {
        guard let url = await provider.endSessionURL(returningTo: configuration.publicURL + "/.auth/login")
        else { return [:] }
        return ["provider_url": url, "provider_name": provider.configuration.name]
    }
}
