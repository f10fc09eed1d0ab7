import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

/// What only Apple and what only a provider of plain OAuth 2.0 does, without connections.
@Suite struct ProviderKindTests {
    static func apple(_ key: PrivateKey?) throws -> ProviderConfiguration {
        var configuration = ProviderConfiguration(
            id: "apple", kind: .apple, name: "Apple", issuer: "https://appleid.apple.com", clientID: "com.example.auth",
            clientSecret: nil, scopes: ["openid", "name", "email"], groupsPrefix: "apple:")
        let pem = try key.map { SecretBytes(copying: Array(Self.pem(try $0.pkcs8()).utf8)) }
        configuration.signingKey = ProviderConfiguration.SigningKey(teamID: "TEAM", keyID: "KEY", pem: pem)
        return configuration
    }

    /// As Apple's console hands it out: without a new line at its end.
    static func pem(_ pkcs8: SecretBytes) -> String {
        let body = pkcs8.withUnsafeBytes { Base64.encode(Array($0)) }
        return "-----BEGIN PRIVATE KEY-----\n\(body)\n-----END PRIVATE KEY-----"
    }

    static func mapping() throws -> ProviderConfiguration.OAuth2 {
        ProviderConfiguration.OAuth2(
            authorizationEndpoint: "https://forge.example/authorize?x=y", tokenEndpoint: "https://forge.example/token",
            userInfoEndpoint: "https://forge.example/user", authentication: .basic,
            subject: try #require(ClaimPath("id")), email: try #require(ClaimPath("email")),
            emailVerified: ClaimPath("verified"), name: try #require(ClaimPath("name")), groups: nil,
            emailTrusted: false)
    }

    static func forge(_ scopes: [String] = []) throws -> ProviderConfiguration {
        var configuration = ProviderConfiguration(
            id: "forge", kind: .oauth2, name: "Forge", issuer: "https://forge.example", clientID: "client",
            clientSecret: SecretBytes(copying: Array("a:b".utf8)), scopes: scopes, groupsPrefix: "forge:")
        configuration.oauth2 = try mapping()
        return configuration
    }

    static func provider(_ configuration: ProviderConfiguration, _ fetcher: TableFetcher = TableFetcher()) -> Provider {
        Provider(configuration, fetcher: fetcher, clock: ManualClock(), log: quiet)
    }

    @Test func applesSecretIsATokenForAppleWithAnEnd() throws {
        let key = try PrivateKey.generate(.p256)
        let provider = Self.provider(try Self.apple(key))
        let secret = try #require(try provider.configurationWithSecret().clientSecret?.text)
        let bytes = Array(secret.utf8)
        let token = try UnverifiedToken(bytes.span)
        #expect(token.keyID == "KEY" && token.algorithm == .es256)
        let jwk = try TokenSigner(key: key, keyID: "KEY").publicJWK()
        let claims = try token.verify(with: [jwk], allowed: [.es256]).claims
        #expect(claims.issuer == "TEAM" && claims.subject == "com.example.auth")
        #expect(claims.audiences == ["https://appleid.apple.com"])
        let (issued, end) = (try #require(claims.issuedAt), try #require(claims.time("exp")))
        #expect(issued <= provider.clock.now() && provider.clock.now() < end && end - issued <= .seconds(600))
        // Another moment, another secret; the configuration keeps none.
        #expect(try provider.configurationWithSecret().clientSecret?.text != secret)
        #expect(provider.configuration.clientSecret == nil)
    }

    @Test func aKeyThatSignsNothingGivesNoSecret() throws {
        let wrong = try PrivateKey.generate(.p384)
        for configuration in [try Self.apple(nil), try Self.apple(wrong)] {
            let error = #expect(throws: FlowFailure.self) {
                _ = try Self.provider(configuration).configurationWithSecret()
            }
            #expect(error?.code == .codeRefused)
        }
        let pem = SecretBytes(copying: Array(Self.pem(try wrong.pkcs8()).utf8))
        #expect(throws: JOSEError.self) { try TokenSigner(pem: pem, keyID: "k", algorithm: .es256) }
    }

    /// What says nothing of itself was not looked at, and a key that signs nothing is found before anybody is asked.
    @Test func anExaminationSaysWhatItHasLookedAt() async throws {
        let fetcher = TableFetcher()
        let silent = Self.provider(try Self.forge(), fetcher)
        let found = try await silent.examine()
        #expect(found.checked.isEmpty && found.keys == nil && fetcher.requests.isEmpty)
        for key in [nil, try PrivateKey.generate(.p384)] {
            let provider = Self.provider(try Self.apple(key), fetcher)
            await #expect(throws: FlowFailure.self) { _ = try await provider.examine() }
        }
        #expect(fetcher.requests.isEmpty)
    }

    @Test func appleTellsNamesByFormAlone() async throws {
        let fetcher = TableFetcher()
        let metadata = """
            {"issuer":"https://appleid.apple.com","authorization_endpoint":"https://appleid.apple.com/auth/authorize",
            "token_endpoint":"https://appleid.apple.com/auth/token","jwks_uri":"https://appleid.apple.com/auth/keys",
            "token_endpoint_auth_methods_supported":["client_secret_post"]}
            """
        fetcher.answer("https://appleid.apple.com/.well-known/openid-configuration", Array(metadata.utf8))
        let provider = Self.provider(try Self.apple(nil), fetcher)
        let flow = try await provider.begin(FlowTests.secrets, redirectURI: "https://a.example/x")
        #expect(flow.url.hasPrefix("https://appleid.apple.com/auth/authorize?response_type=code&"))
        #expect(flow.url.contains("&scope=openid%20name%20email&"))
        #expect(flow.url.contains("&response_mode=form_post") && flow.url.contains("&nonce=no"))
    }

    @Test(arguments: [
        (#"{"name":{"firstName":"Ann","lastName":"Lee"}}"#, "Ann Lee"), (#"{"name":{"lastName":"Lee"}}"#, "Lee"),
        (#"{"name":{}}"#, ""), (#"{"name":[]}"#, ""), ("{", nil), ("{}", nil), ("[]", nil),
        (#"{"name":{"firstName":"A\u0000"}}"#, "A"),
    ])
    func theNameBesideApplesAnswer(_ text: String, _ name: String?) {
        #expect(AppleUser.name(text) == name)
        #expect(AppleUser.name(nil) == nil)
    }

    @Test func plainOAuthIsAskedWithoutAnythingOfOpenIDConnect() async throws {
        let flow = try await Self.provider(Self.forge()).begin(FlowTests.secrets, redirectURI: "x")
        #expect(
            flow.url
                == "https://forge.example/authorize?x=y&response_type=code&client_id=client&redirect_uri=x&state=st"
                + "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")
        let scoped = try await Self.provider(Self.forge(["a", "b"])).begin(FlowTests.secrets, redirectURI: "x")
        #expect(scoped.url.contains("&scope=a%20b&"))
        let request = try TokenExchange(configuration: Self.forge()).request(code: "c", of: flow)
        // Each part is escaped before they are joined.
        let pair = Base64.encode(Array("client:a%3Ab".utf8))
        #expect(request.headers.contains { $0 == ("Authorization", "Basic \(pair)") })
    }

    @Test func aProviderThatCannotAskAnewIsNotAskedTo() async throws {
        let error = await #expect(throws: FlowFailure.self) {
            _ = try await Self.provider(Self.forge()).begin(FlowTests.secrets, redirectURI: "x", anew: true)
        }
        #expect(error?.code == .tooOld)
    }

    @Test(arguments: [
        (#"{"id":7,"email":"a@b.example","verified":true}"#, "7", true),
        (#"{"id":"7","email":"a@b.example","verified":"true"}"#, "7", true),
        (#"{"id":7,"email":"a@b.example","verified":1}"#, "7", false),
        (#"{"id":7,"email":"a@b.example"}"#, "7", false), (#"{"id":7,"verified":true}"#, "7", false),
        (#"{"id":-7,"email":"a@b@c.example","verified":true}"#, "-7", false),
    ])
    func whatTheUserInfoMeans(_ text: String, _ subject: String, _ isVerified: Bool) async throws {
        let fetcher = TableFetcher()
        fetcher.answer("https://forge.example/user", Array(text.utf8))
        let person = try await MappedPerson(provider: Self.provider(Self.forge(), fetcher), accessToken: "t").read()
        #expect(person.subject == subject && person.emailIsVerified == isVerified)
        #expect(person.authenticatedAt == nil && person.sessionID == nil)
    }

    @Test func aReloadKeepsOnlyWhatIsTheSame() throws {
        let key = try PrivateKey.generate(.p256)
        let (apple, forge) = (try Self.apple(key), try Self.forge())
        let (again, rotated, unread) = (
            try Self.apple(key), try Self.apple(try PrivateKey.generate(.p256)), try Self.apple(nil)
        )
        #expect(apple.isSame(as: again) && !apple.isSame(as: rotated) && !apple.isSame(as: unread))
        let written = try Self.forge()
        #expect(forge.isSame(as: written))
        var other = forge
        other.oauth2?.emailTrusted = true
        #expect(!forge.isSame(as: other))
        other.oauth2 = nil
        #expect(!forge.isSame(as: other))
    }
}
