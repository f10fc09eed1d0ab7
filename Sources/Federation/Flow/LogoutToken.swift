public import Core
internal import JOSE

/// Whose sessions a provider has ended (OpenID Connect Back-Channel Logout 1.0): one of them, or all of somebody.
public struct ProviderLogout: Sendable, Equatable {
    public let issuer: String
    /// Nil: ``sessionID`` says it all.
    public let subject: String?
    /// Nil: all of the subject's.
    public let sessionID: String?
    /// `jti`: the same token is good once.
    public let tokenID: String
    /// From then on the token is too old by itself, and need not be remembered.
    public let goodUntil: Timestamp

    /// How old a token may be, whatever its own `exp` says: what somebody finds later in a log or a queue ends nothing.
    static let longestAge = Duration.seconds(300)
}

/// Why a logout token ends nothing. Equality is on the code.
public struct LogoutRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind it was; its text is what the audit log says.
    public enum Code: String, Sendable, CaseIterable {
        /// Not the provider's, not for us, or not of the form.
        case bad = "bad_logout_token"
        /// Made too long ago, or over by its own `exp`.
        case expired = "logout_token_expired"
        /// It was carried out already.
        case replayed = "logout_token_replayed"
        /// The provider's keys could not be fetched, or the store could not be written.
        case unavailable = "logout_not_done"
    }

    public let code: Code
    /// What happened, for the log; holds no credential.
    public let message: String

    /// A token that came a second time.
    public static let replayed = LogoutRefusal(.replayed, "the logout token was used before")

    /// It was good, and could not be carried out.
    public static func notDone(_ why: String) -> LogoutRefusal {
        LogoutRefusal(.unavailable, "the sessions could not be ended: \(why)")
    }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ failure: FlowFailure) {
        self.init(failure.code == .unavailable ? .unavailable : .bad, failure.message)
    }

    public var description: String { "\(code.rawValue): \(message)" }

    public static func == (left: LogoutRefusal, right: LogoutRefusal) -> Bool { left.code == right.code }
}

extension Provider {
    /// What a logout token says, if it is the provider's and for us. Whether it was used before is the caller's to know.
    ///
    /// - Parameter text: as it came; anybody can send it.
    public func logout(_ text: String) async throws(LogoutRefusal) -> ProviderLogout {
        guard configuration.kind.speaksOpenIDConnect else {
            throw LogoutRefusal(.bad, "this kind of provider sends no logout tokens")
        }
        let bytes = Array(text.utf8)
        let token: UnverifiedToken
        do throws(JOSEError) {
            token = try UnverifiedToken(bytes.span)
        } catch {
            throw LogoutRefusal(.bad, "the logout token cannot be read: \(error)")
        }
        guard token.type == nil || token.hasType("logout+jwt") || token.hasType("jwt") else {
            throw LogoutRefusal(.bad, "this has the type of another kind of token")
        }
        // Before any key is looked for: what would be refused anyway has nothing fetched.
        try hold(token.claims)
        let claims: Claims
        do throws(FlowFailure) {
            claims = try await verified(token, isVouchedFor: false) { proof throws(FlowFailure) in proof.claims }
        } catch {
            throw LogoutRefusal(error)
        }
        try hold(claims)
        return try Self.logout(claims, issuer: configuration.issuer)
    }

    /// Issuer, audience and times.
    private func hold(_ claims: Claims) throws(LogoutRefusal) {
        let now = clock.now()
        do throws(JOSEError) {
            try claims.validate(
                now: now, issuer: configuration.issuer, audiences: [configuration.clientID],
                leeway: IDTokenCheck.leeway)
        } catch {
            throw LogoutRefusal(error.code == .expired ? .expired : .bad, "the logout token: \(error)")
        }
        guard let issuedAt = claims.issuedAt else { throw LogoutRefusal(.bad, "the logout token has no iat") }
        guard now < issuedAt + ProviderLogout.longestAge + IDTokenCheck.leeway else {
            throw LogoutRefusal(.expired, "the logout token was made too long ago")
        }
    }

    /// The member of `events` that makes it one; an ID token has none, and a logout token no `nonce`.
    private static let event = "http://schemas.openid.net/event/backchannel-logout"

    static func logout(_ claims: Claims, issuer: String) throws(LogoutRefusal) -> ProviderLogout {
        guard claims.value("events")?[event]?.isObject == true, claims.value("nonce") == nil,
            let issuedAt = claims.issuedAt, let expiresAt = claims.expiresAt, let tokenID = claims.tokenID,
            !tokenID.isEmpty
        else { throw LogoutRefusal(.bad, "the logout token lacks what makes it one") }
        let subject = claims.subject
        let session = claims.string("sid")
        let isPlain = [subject, session].allSatisfy { $0.map { (1...255).contains($0.utf8.count) } ?? true }
        guard isPlain, subject != nil || session != nil, (claims.value("sub") != nil) == (subject != nil),
            (claims.value("sid") != nil) == (session != nil)
        else { throw LogoutRefusal(.bad, "the logout token does not say whom it is about") }
        let end = min(expiresAt, issuedAt + ProviderLogout.longestAge) + IDTokenCheck.leeway
        return ProviderLogout(
            issuer: issuer, subject: subject, sessionID: session, tokenID: tokenID, goodUntil: end)
    }
}
