internal import Core
internal import JOSE

/// Whose sessions a provider has ended (OpenID Connect Back-Channel Logout 1.0): one of them, or all of somebody.
public struct ProviderLogout: Sendable, Equatable {
    public let issuer: String
    /// Nil: ``sessionID`` says it all.
    public let subject: String?
    /// Nil: all of the subject's.
    public let sessionID: String?
}

extension Provider {
    /// What a logout token says, if it is the provider's and for us.
    ///
    /// - Parameter text: as it came; anybody can send it.
    public func logout(_ text: String) async throws(FlowFailure) -> ProviderLogout {
        guard configuration.kind.speaksOpenIDConnect else {
            throw FlowFailure(.badToken, "this kind of provider sends no logout tokens")
        }
        let bytes = Array(text.utf8)
        let token: UnverifiedToken
        do throws(JOSEError) {
            token = try UnverifiedToken(bytes.span)
        } catch {
            throw FlowFailure(.badToken, "the logout token cannot be read: \(error)")
        }
        guard token.type == nil || token.hasType("logout+jwt") || token.hasType("jwt"),
            token.claims.issuer?.utf8.elementsEqual(configuration.issuer.utf8) == true
        else { throw FlowFailure(.badToken, "this is no logout token of the provider's") }
        let claims = try await verified(token) { proof throws(FlowFailure) in
            do throws(JOSEError) {
                try proof.validate(
                    now: self.clock.now(), issuer: self.configuration.issuer,
                    audiences: [self.configuration.clientID], leeway: IDTokenCheck.leeway)
            } catch {
                throw FlowFailure(.badToken, "the logout token: \(error)")
            }
            return proof.claims
        }
        return try Self.logout(claims, issuer: configuration.issuer)
    }

    /// The member of `events` that makes it one; an ID token has none, and a logout token no `nonce`.
    private static let event = "http://schemas.openid.net/event/backchannel-logout"

    static func logout(_ claims: Claims, issuer: String) throws(FlowFailure) -> ProviderLogout {
        guard claims.value("events")?[event]?.isObject == true, claims.value("nonce") == nil,
            claims.issuedAt != nil, claims.tokenID != nil
        else { throw FlowFailure(.badToken, "the logout token lacks what makes it one") }
        let subject = claims.subject
        let session = claims.string("sid")
        let isPlain = [subject, session].allSatisfy { $0.map { (1...255).contains($0.utf8.count) } ?? true }
        guard isPlain, subject != nil || session != nil, (claims.value("sub") != nil) == (subject != nil),
            (claims.value("sid") != nil) == (session != nil)
        else { throw FlowFailure(.badToken, "the logout token does not say whom it is about") }
        return ProviderLogout(issuer: issuer, subject: subject, sessionID: session)
    }
}
