public import Core
internal import JOSE

/// Why there is no new access token.
public enum RefreshFailure: Error, Sendable {
    /// The provider will never give one for this refresh token again, or gave somebody else's. In words for the audit.
    case ended(String)
    /// This time it did not work. In words for the log, without a credential.
    case failed(String)
    /// Nobody was there, whoever's token it had been. In words for the log, without a credential.
    case unavailable(String)
    /// The provider has answered, and has changed the refresh token to this one; but the key was not to be had by which
    /// its ID token could be checked. In words for the log, without a credential.
    case withheld(SecretBytes, String)

    fileprivate init(_ failure: FlowFailure) {
        self = failure.code == .unavailable ? .unavailable("\(failure)") : .failed("\(failure)")
    }
}

extension Provider {
    /// The limit of each half of a renewal: what is fetched before the exchange, and what is behind it. With the
    /// exchange itself, ``timeout``, it is 16 seconds in all.
    static let patience: Duration = .seconds(4)

    /// Exchanges a refresh token for new tokens (RFC 6749 section 6, OpenID Connect Core 12).
    ///
    /// Everything that can be had before is had before: the exchange cannot be made twice where the provider changes the
    /// refresh token.
    ///
    /// - Parameters:
    ///   - token: of this provider's and for us; sent to its token endpoint and nowhere else.
    ///   - subject: whom it was given for.
    /// - Returns: also a new refresh token, where the provider changes them; else the old one stays good.
    public func refresh(_ token: SecretBytes, of subject: String) async throws(RefreshFailure) -> GrantedTokens {
        let asked: Timestamp
        let exchange: TokenExchange
        let response: FetchResponse
        do throws(FlowFailure) {
            exchange = TokenExchange(configuration: try configurationWithSecret())
            let metadata = try await Deadline.of(Self.patience) { await self.prepared() }
            let request = try exchange.request(
                [("grant_type", "refresh_token"), ("refresh_token", token.text)], to: metadata)
            asked = clock.now()
            do {
                response = try await renewing.fetch(request)
            } catch {
                throw FlowFailure(.unavailable, "\(error)")
            }
        } catch {
            throw RefreshFailure(error)
        }
        if let error = Self.finalError(in: response) { throw .ended(error) }
        let tokens: ProviderTokens
        do throws(FlowFailure) {
            tokens = try exchange.tokens(response)
        } catch {
            throw RefreshFailure(error)
        }
        let isTheirs: Bool
        do throws(FlowFailure) {
            isTheirs = try await Deadline.of(Self.patience) { await self.about(subject, tokens.id) }
        } catch {
            if error.lacksKey || error.code == .unavailable, let refresh = tokens.refresh {
                throw .withheld(SecretBytes(copying: refresh.utf8), "\(error)")
            }
            throw .failed("\(error)")
        }
        guard isTheirs else { throw .ended("other_subject") }
        return tokens.granted(at: asked, to: configuration.client)
    }

    /// The metadata, with the keys there that an ID token is checked by.
    private func prepared() async -> Result<ProviderMetadata, FlowFailure> {
        do throws(FlowFailure) {
            let metadata = try await source.metadata()
            guard configuration.kind.speaksOpenIDConnect else { return .success(metadata) }
            await keys.refreshIfDue()
            if keys.current.keys == nil { _ = await refetched(true) }
            guard keys.current.keys != nil else {
                throw FlowFailure(.unavailable, "the provider's keys could not be fetched")
            }
            return .success(metadata)
        } catch {
            return .failure(error)
        }
    }

    /// What says that this very token is good for nothing any more (RFC 6749 section 5.2; GitHub has its own word).
    private static func finalError(in response: FetchResponse) -> String? {
        let document = try? JSONReader.parse(
            response.body, limits: JSONLimits(bytes: TokenExchange.maximumBytes, depth: 4))
        return document?["error"]?.string.flatMap { ["invalid_grant", "bad_refresh_token"].contains($0) ? $0 : nil }
    }

    private func about(_ subject: String, _ text: String?) async -> Result<Bool, FlowFailure> {
        do throws(FlowFailure) {
            return .success(try await isAbout(subject, text))
        } catch {
            return .failure(error)
        }
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
