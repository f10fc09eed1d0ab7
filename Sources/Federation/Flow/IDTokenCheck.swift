internal import Core
internal import JOSE

/// What an ID token must be before anything in it is believed (OpenID Connect Core 3.1.3.7).
struct IDTokenCheck {
    /// Signatures that only the provider can make: none with a secret that we share, whatever the token says.
    static let algorithms: Set<JWSAlgorithm> = [
        .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .es256, .es384, .es512, .edDSA,
    ]
    static let maximumBytes = 64 * 1024
    /// How much the provider's clock may differ from ours.
    static let leeway: Duration = .seconds(60)

    let configuration: ProviderConfiguration
    let flow: AuthorizationFlow

    /// - Throws: `badToken`.
    func parse(_ text: String) throws(FlowFailure) -> UnverifiedToken {
        let bytes = Array(text.utf8)
        let token: UnverifiedToken
        do throws(JOSEError) {
            token = try UnverifiedToken(bytes.span, maximumBytes: Self.maximumBytes)
        } catch {
            throw FlowFailure(.badToken, "the ID token cannot be read: \(error)")
        }
        // Other tokens of the same provider are signed by the same key: an access token is no proof of a sign-in.
        guard token.type == nil || token.hasType("jwt") else {
            throw FlowFailure(.badToken, "the ID token has the type of another kind of token")
        }
        return token
    }

    /// - Returns: the claims, which are the provider's and about this flow.
    func claims(of proof: VerifiedToken, accessToken: String, at now: Timestamp) throws(FlowFailure) -> Claims {
        let claims = proof.claims
        do throws(JOSEError) {
            try claims.validate(
                now: now, issuer: configuration.issuer, audiences: [configuration.clientID], leeway: Self.leeway)
        } catch {
            switch error.code {
            case .expired: throw FlowFailure(.tokenExpired, "\(error)")
            case .wrongAudience: throw FlowFailure(.wrongAudience, "\(error)")
            case .wrongIssuer: throw FlowFailure(.wrongIssuer, "\(error)")
            default: throw FlowFailure(.badToken, "\(error)")
            }
        }
        guard claims.issuedAt != nil else { throw FlowFailure(.badToken, "the ID token has no iat") }
        try checkAuthorizedParty(claims)
        guard let nonce = claims.string("nonce"), nonce.utf8.elementsEqual(flow.secrets.nonce.utf8) else {
            throw FlowFailure(.wrongNonce, "the ID token is not of this flow")
        }
        if let hash = claims.value("at_hash"), !hash.equals(TokenHash.of(accessToken, algorithm: proof.algorithm)) {
            throw FlowFailure(.wrongTokenHash, "at_hash of the ID token is not of this access token")
        }
        if let provenAfter = flow.provenAfter {
            guard let time = claims.time("auth_time"), time + Self.leeway >= Timestamp(seconds: provenAfter) else {
                throw FlowFailure(.tooOld, "the provider did not ask the person anew")
            }
        }
        return claims
    }

    /// Of several audiences the token must say that it was made for us; where it says for whom, it must be us.
    private func checkAuthorizedParty(_ claims: Claims) throws(FlowFailure) {
        let party = claims.value("azp")
        if party == nil, claims.audiences?.count == 1 { return }
        guard party?.equals(configuration.clientID) == true else {
            throw FlowFailure(.wrongAudience, "the ID token was made for another client")
        }
    }
}
