import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

/// New access tokens for a refresh token, at a provider that is a table.
@Suite struct TokenRefreshTests {
    static let token = SecretBytes(copying: Array("r-1".utf8))

    let fetcher = TableFetcher()
    let clock = ManualClock()

    func provider(_ kind: ProviderConfiguration.Kind = .oidc, keys: JWKSet? = nil) -> Provider {
        fetcher.answer(FlowTests.issuer + "/.well-known/openid-configuration", Array(FlowTests.metadata.utf8))
        if let keys { fetcher.answer(FlowTests.issuer + "/jwks", keys.render()) }
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
            await #expect(throws: RefreshFailure.ended(error)) { try await provider().refresh(Self.token, of: "lena") }
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
        await #expect(throws: RefreshFailure.ended("other_subject")) {
            try await provider(keys: keys).refresh(Self.token, of: "lena")
        }
        try answer(#""sub":"lena""#, by: stranger)
        guard case .failure(.failed) = await refresh(provider(keys: keys)) else {
            Issue.record("signed by nobody's key")
            return
        }
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
