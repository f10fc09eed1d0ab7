internal import Core
internal import JOSE

/// What Apple takes for a client secret: a token that the operator's key has signed, for this client and for Apple, with
/// an end. Apple allows six months; it is made anew for each exchange here, so that none is ever kept or too old.
struct AppleClientSecret {
    static let lifetime: Duration = .seconds(300)
    /// So that a clock of ours that is ahead makes none from the future.
    static let backdating: Duration = .seconds(60)

    let configuration: ProviderConfiguration

    func text(at now: Timestamp) throws(FlowFailure) -> String {
        guard let signing = configuration.signingKey, let pem = signing.pem else {
            throw FlowFailure(.codeRefused, "the key that signs the client secret was not read")
        }
        var claims = JSONWriter(capacity: 256)
        claims.member("iss", signing.teamID)
        claims.member("iat", (now - Self.backdating).seconds)
        claims.member("exp", (now + Self.lifetime).seconds)
        claims.member("aud", configuration.issuer)
        claims.member("sub", configuration.clientID)
        do throws(JOSEError) {
            let signer = try TokenSigner(pem: pem, keyID: signing.keyID, algorithm: .es256)
            return String(decoding: try signer.sign(claims.finish()), as: UTF8.self)
        } catch {
            throw FlowFailure(.codeRefused, "the client secret could not be signed: \(error)")
        }
    }
}

extension Provider {
    /// The configuration with the secret that is good now. Every request that says who we are is made of this.
    func configurationWithSecret() throws(FlowFailure) -> ProviderConfiguration {
        guard configuration.kind == .apple else { return configuration }
        var current = configuration
        let text = try AppleClientSecret(configuration: configuration).text(at: clock.now())
        current.clientSecret = SecretBytes(copying: Array(text.utf8))
        return current
    }
}
