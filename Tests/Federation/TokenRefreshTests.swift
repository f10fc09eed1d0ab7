import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

/// New access tokens for a refresh token, at a provider that is a table.
@Suite struct TokenRefreshTests {
    static let token = SecretBytes(copying: Array("r-1".utf8))

    /// Nobody's.
    static let keys = JWKSet(
        [try? TokenSigner(key: try PrivateKey.generate(.p256)).publicJWK()].compactMap { $0 })

    let fetcher = TableFetcher()
    let clock = ManualClock()

    func provider(_ kind: ProviderConfiguration.Kind = .oidc, keys: JWKSet? = nil) -> Provider {
        fetcher.answer(FlowTests.issuer + "/.well-known/openid-configuration", Array(FlowTests.metadata.utf8))
        fetcher.answer(FlowTests.issuer + "/jwks", (keys ?? Self.keys).render())
        return FlowTests.provider(fetcher, kind, clock: clock)
    }

    func answer(_ body: String, status: Int = 200) {
        fetcher.answer(FlowTests.issuer + "/t", Array(body.utf8), status: status)
    }

    /// - Returns: what was granted, or why not.
    func refresh(_ provider: Provider, of subject: String = "lena") async -> Result<GrantedTokens, RefreshFailure> {
        do throws(RefreshFailure) {
            return .success(try await provider.refresh(Self.token, of: subject))
        } catch {
            return .failure(error)
        }
    }

    @Test func newTokensComeWithTheirExpiry() async throws {
        answer(#"{"access_token":"a-2","token_type":"bearer","expires_in":300,"refresh_token":"r-2"}"#)
        let tokens = try await refresh(provider()).get()
        #expect(tokens.access.text == "a-2" && tokens.refresh?.text == "r-2")
        #expect(tokens.expiresAt == clock.now() + .seconds(300))
        answer(#"{"access_token":"a-3","token_type":"Bearer"}"#)
        let kept = try await refresh(provider()).get()
        #expect(kept.refresh == nil && kept.expiresAt == nil)
    }

    @Test(arguments: [
        ("60", 60), ("\"60\"", 60), ("60.9", 60), ("-5", 0), ("\"soon\"", 0), ("1e300", 315_360_000),
        ("99999999999999999999999", 315_360_000), ("{}", 0), ("true", 0),
    ])
    func aLifetimeIsANumberInBoundsOrOver(_ written: String, _ seconds: Int64) async throws {
        answer(#"{"access_token":"a","token_type":"Bearer","expires_in":\#(written)}"#)
        let tokens = try await refresh(provider()).get()
        #expect(tokens.expiresAt == clock.now() + .seconds(seconds))
    }

    @Test func onlyTheProvidersOwnNoIsFinal() async throws {
        for error in ["invalid_grant", "bad_refresh_token"] {
            answer(#"{"error":"\#(error)"}"#, status: 400)
            guard case .failure(.ended(error)) = await refresh(provider()) else {
                Issue.record("\(error)")
                continue
            }
        }
        for (body, status) in [
            (#"{"error":"invalid_client"}"#, 401), (#"{"error":"temporarily_unavailable"}"#, 503), ("", 502),
            (#"{"access_token":"a b","token_type":"Bearer"}"#, 200), (#"{"access_token":"a"}"#, 200),
            (#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#, 200), ("[]", 200),
            (#"{"error":"invalid_grant","error":"x"}"#, 400),
        ] {
            answer(body, status: status)
            guard case .failure(.failed(let why)) = await refresh(provider()) else {
                Issue.record("\(status) \(body)")
                continue
            }
            #expect(!why.contains("r-1"))
        }
    }

    @Test func anIDTokenThatComesWithThemIsAboutTheSamePerson() async throws {
        let signer = try TokenSigner(key: try PrivateKey.generate(.p256))
        let stranger = try TokenSigner(key: try PrivateKey.generate(.p256))
        let keys = JWKSet([try signer.publicJWK()])
        func answer(_ changes: String, by signer: TokenSigner) throws {
            let now = clock.now().seconds
            let claims =
                "{\"iss\":\"\(FlowTests.issuer)\",\"aud\":\"client\",\"iat\":\(now),\"exp\":\(now + 60),\(changes)}"
            let token = String(decoding: try signer.sign(Array(claims.utf8)), as: UTF8.self)
            self.answer(#"{"access_token":"a","token_type":"Bearer","id_token":"\#(token)"}"#)
        }
        try answer(#""sub":"lena""#, by: signer)
        let theirs = try await refresh(provider(keys: keys)).get()
        #expect(theirs.access.text == "a")
        try answer(#""sub":"mallory""#, by: signer)
        guard case .failure(.ended("other_subject")) = await refresh(provider(keys: keys)) else {
            Issue.record("somebody else's")
            return
        }
        try answer(#""sub":"lena""#, by: stranger)
        guard case .failure(.failed) = await refresh(provider(keys: keys)) else {
            Issue.record("signed by nobody's key")
            return
        }
    }

    @Test func theKeysAreThereBeforeTheExchange() async throws {
        answer(#"{"access_token":"a","token_type":"Bearer","refresh_token":"r-2"}"#)
        let provider = provider()
        fetcher.answer(FlowTests.issuer + "/jwks", nil)
        guard case .failure(.unavailable) = await refresh(provider) else {
            Issue.record("exchanged without keys")
            return
        }
        #expect(!fetcher.requests.contains(FlowTests.issuer + "/t"))
    }

    @Test func aChangedRefreshTokenIsNotLostWithTheKeyOfItsIDToken() async throws {
        let signer = try TokenSigner(key: try PrivateKey.generate(.p256))
        let now = clock.now().seconds
        let claims =
            #"{"iss":"\#(FlowTests.issuer)","aud":"client","iat":\#(now),"exp":\#(now + 60),"sub":"lena"}"#
        let token = String(decoding: try signer.sign(Array(claims.utf8)), as: UTF8.self)
        answer(
            #"{"access_token":"a","token_type":"Bearer","refresh_token":"r-2","id_token":"\#(token)"}"#)
        guard case .failure(.withheld(let next, let why)) = await refresh(provider()) else {
            Issue.record("lost or let through")
            return
        }
        #expect(next.text == "r-2" && !why.contains("r-2"))
    }

    @Test func renewalsHaveARoadOfTheirOwn() async throws {
        let road = TableFetcher()
        road.answer(FlowTests.issuer + "/t", Array(#"{"access_token":"a","token_type":"Bearer"}"#.utf8))
        _ = provider()
        let provider = Provider(
            FlowTests.configuration(), fetcher: fetcher, renewing: road, clock: clock, log: quiet)
        #expect(try await refresh(provider).get().access.text == "a")
        #expect(road.requests == [FlowTests.issuer + "/t"] && !fetcher.requests.contains(FlowTests.issuer + "/t"))
        road.answer(FlowTests.issuer + "/t", nil)
        guard case .failure(.unavailable) = await refresh(provider) else {
            Issue.record("nobody was there")
            return
        }
    }

    @Test func anotherNameThereOrAnotherTokenEndpointIsAnotherClient() {
        func client(_ kind: ProviderConfiguration.Kind, _ id: String, _ endpoint: String?) -> String {
            ProviderConfiguration.client(kind: kind, clientID: id, tokenEndpoint: endpoint)
        }
        let all = [
            client(.oauth2, "a", "https://a/t"), client(.oauth2, "b", "https://a/t"),
            client(.oauth2, "a", "https://b/t"), client(.oidc, "a", nil), client(.oidc, "b", nil),
            client(.gitlab, "a", nil),
        ]
        #expect(Set(all).count == all.count && client(.oidc, "a", nil) == all[3])
        #expect(FlowTests.configuration().client == client(.oidc, "client", nil))
    }

    @Test func refreshTokensAreAskedForOnlyWhereTheyAreKept() async throws {
        let offering = FlowTests.metadata.dropLast() + #","scopes_supported":["openid","offline_access"]}"#
        fetcher.answer(FlowTests.issuer + "/.well-known/openid-configuration", Array(offering.utf8))
        var configuration = FlowTests.configuration()
        for keeps in [false, true] {
            configuration.keepsTokens = keeps
            let provider = Provider(configuration, fetcher: fetcher, clock: clock, log: quiet)
            let flow = try await provider.begin(FlowTests.secrets, redirectURI: "x")
            #expect(flow.url.contains("scope=openid%20email%20offline_access&") == keeps)
        }
        configuration = FlowTests.configuration(.google)
        configuration.keepsTokens = true
        #expect(configuration.fieldsForRefreshing(isAnew: false).map(\.0) == ["access_type", "prompt"])
        #expect(configuration.fieldsForRefreshing(isAnew: true).map(\.0) == ["access_type"])
    }
}
