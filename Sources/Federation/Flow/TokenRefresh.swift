public import Core
internal import JOSE

/// Why there is no new access token.
public enum RefreshFailure: Error, Sendable, Equatable {
    /// The provider will never give one for this refresh token again, or gave somebody else's. In words for the audit.
    case ended(String)
    /// This time it did not work. In words for the log, without a credential.
    case failed(String)
}

extension Provider {
    /// Exchanges a refresh token for new tokens (RFC 6749 section 6, OpenID Connect Core 12).
    ///
    /// - Parameters:
    ///   - token: of this provider's and for us; sent to its token endpoint and nowhere else.
    ///   - subject: whom it was given for.
    /// - Returns: also a new refresh token, where the provider changes them; else the old one stays good.
    public func refresh(_ token: SecretBytes, of subject: String) async throws(RefreshFailure) -> GrantedTokens {
        let asked = clock.now()
        let exchange: TokenExchange
        let response: FetchResponse
        do throws(FlowFailure) {
            exchange = TokenExchange(configuration: try configurationWithSecret())
            let request = try exchange.request(
                [("grant_type", "refresh_token"), ("refresh_token", token.text)], to: try await source.metadata())
            response = try await fetch(request)
        } catch {
            throw .failed("\(error)")
        }
        if let error = Self.finalError(in: response) { throw .ended(error) }
        let tokens: ProviderTokens
        let isTheirs: Bool
        do throws(FlowFailure) {
            tokens = try exchange.tokens(response)
            isTheirs = try await isAbout(subject, tokens.id)
        } catch {
            throw .failed("\(error)")
        }
        guard isTheirs else { throw .ended("other_subject") }
        return tokens.granted(at: asked)
    }

    /// What says that this very token is good for nothing any more (RFC 6749 section 5.2; GitHub has its own word).
    private static func finalError(in response: FetchResponse) -> String? {
        let document = try? JSONReader.parse(
            response.body, limits: JSONLimits(bytes: TokenExchange.maximumBytes, depth: 4))
        return document?["error"]?.string.flatMap { ["invalid_grant", "bad_refresh_token"].contains($0) ? $0 : nil }
    }

    /// An ID token that comes with new tokens must be about the same person (OpenID Connect Core 12.2).
    private func isAbout(_ subject: String, _ text: String?) async throws(FlowFailure) -> Bool {
        guard let text, configuration.kind.speaksOpenIDConnect else { return true }
        let bytes = Array(text.utf8)
        let token: UnverifiedToken
        do throws(JOSEError) {
            token = try UnverifiedToken(bytes.span, maximumBytes: IDTokenCheck.maximumBytes)
        } catch {
            throw FlowFailure(.badToken, "the ID token cannot be read: \(error)")
        }
        let claims = try await verified(token, isVouchedFor: true) { proof throws(FlowFailure) in
            do throws(JOSEError) {
                try proof.validate(
                    now: self.clock.now(), issuer: self.configuration.issuer,
                    audiences: [self.configuration.clientID], leeway: IDTokenCheck.leeway)
            } catch {
                throw FlowFailure(.badToken, "the ID token: \(error)")
            }
            return proof.claims
        }
        return claims.subject?.utf8.elementsEqual(subject.utf8) == true
    }
}

extension ProviderConfiguration {
    /// With the scope by which OpenID Connect's refresh tokens are asked for, where tokens are kept.
    func scopesToAsk(_ metadata: ProviderMetadata) -> [String] {
        guard keepsTokens, metadata.offersOfflineAccess, !scopes.contains("offline_access") else { return scopes }
        return scopes + ["offline_access"]
    }

    /// Google has no such scope but a parameter, and gives a refresh token for it only with the person's consent.
    func fieldsForRefreshing(isAnew: Bool) -> [(String, String)] {
        guard keepsTokens, kind == .google else { return [] }
        return [("access_type", "offline")] + (isAnew ? [] : [("prompt", "consent")])
    }
}
