import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

/// A provider that is a table, with a key.
final class ProviderScene {
    static let document = FlowTests.issuer + "/.well-known/openid-configuration"
    static let keys = FlowTests.issuer + "/jwks"

    let clock = ManualClock()
    let fetcher = TableFetcher()
    let provider: Provider
    var signer: TokenSigner

    init(metadata: String = FlowTests.metadata) throws {
        signer = try TokenSigner(key: try PrivateKey.generate(.p256))
        provider = FlowTests.provider(fetcher, clock: clock)
        fetcher.answer(Self.document, Array(metadata.utf8))
        try publish([signer])
    }

    func publish(_ signers: [TokenSigner], at url: String = ProviderScene.keys) throws {
        fetcher.answer(url, JWKSet(try signers.map { try $0.publicJWK() }).render())
    }

    /// Signs these members, with what a logout token needs; nil takes one away.
    func logoutToken(_ changes: [String: String?] = [:], by other: TokenSigner? = nil) throws -> String {
        let now = clock.now().seconds
        var members: [String: String?] = [
            "iss": "\"\(FlowTests.issuer)\"", "aud": "\"client\"", "sub": "\"ann\"", "exp": "\(now + 120)",
            "iat": "\(now)", "jti": "\"t-1\"",
            "events": "{\"http://schemas.openid.net/event/backchannel-logout\":{}}",
        ]
        members.merge(changes) { $1 }
        return try signed(members, by: other)
    }

    func signed(_ members: [String: String?], by other: TokenSigner? = nil) throws -> String {
        let payload = members.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.sorted()
        let bytes = try (other ?? signer).sign(Array("{\(payload.joined(separator: ","))}".utf8))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What a logout token is refused for; nil: it is good.
    func refusal(_ changes: [String: String?] = [:], by other: TokenSigner? = nil) async throws -> LogoutRefusal.Code? {
        let token = try logoutToken(changes, by: other)
        do throws(LogoutRefusal) {
            _ = try await provider.logout(token)
            return nil
        } catch {
            return error.code
        }
    }
}

@Suite struct LogoutTokenTests {
    @Test func aTokenSaysWhomAndWhichAndUntilWhen() async throws {
        let scene = try ProviderScene()
        let now = scene.clock.now()
        let logout = try await scene.provider.logout(try scene.logoutToken(["sid": "\"s\""]))
        #expect(logout.subject == "ann" && logout.sessionID == "s" && logout.tokenID == "t-1")
        #expect(logout.goodUntil == now + .seconds(180))
        // A long life of its own is not taken at its word.
        let long = try await scene.provider.logout(try scene.logoutToken(["exp": "\(now.seconds + 1_000_000)"]))
        #expect(long.goodUntil == now + .seconds(360))
    }

    /// When it was made and ends, from now on, and what it is refused for.
    static let times: [(Int64, Int64, LogoutRefusal.Code?)] = [
        (-359, 1000, nil), (-360, 1000, .expired), (-100_000, 1000, .expired), (59, 1000, nil), (60, 1000, nil),
        (61, 1000, .bad), (0, -59, nil), (0, -60, .expired),
    ]

    @Test(arguments: times)
    func timesAreBounded(_ issued: Int64, _ end: Int64, _ refusal: LogoutRefusal.Code?) async throws {
        let scene = try ProviderScene()
        let now = scene.clock.now().seconds
        #expect(try await scene.refusal(["iat": "\(now + issued)", "exp": "\(now + end)"]) == refusal)
    }

    static let lies: [[String: String?]] = [
        ["iat": nil], ["exp": nil], ["jti": nil], ["jti": "\"\""], ["jti": "1"], ["nonce": "\"n\""], ["events": "{}"],
        ["iss": "\"https://evil.example\""], ["aud": "\"other\""], ["sub": nil], ["iat": "\"1\""],
    ]

    @Test(arguments: lies)
    func whatIsNoneIsRefused(_ changes: [String: String?]) async throws {
        let scene = try ProviderScene()
        #expect(try await scene.refusal(changes) == .bad)
    }

    @Test func anIDTokenIsNoLogoutToken() async throws {
        let scene = try ProviderScene()
        #expect(try await scene.refusal(["nonce": "\"no\"", "events": nil]) == .bad)
        let github = FlowTests.provider(TableFetcher(), .github)
        await #expect(throws: LogoutRefusal.self) { _ = try await github.logout(try scene.logoutToken()) }
    }

    /// Anybody can send one: what is refused by what it says has nothing fetched.
    @Test func lesson67_aStrangersTokenFetchesNothing() async throws {
        let scene = try ProviderScene()
        let stranger = try TokenSigner(key: try PrivateKey.generate(.p256))
        for changes in [["iss": "\"https://evil.example\""], ["aud": "\"other\""], ["exp": "1"], ["iat": "1"]] {
            #expect(try await scene.refusal(changes, by: stranger) != nil)
        }
        #expect(scene.fetcher.requests.isEmpty)
    }

    /// A stranger's unknown key uses up the strangers' turn, and not that of the provider's own answers.
    @Test func strangersKeepNoNewKeyOut() async throws {
        var schedule = RefetchSchedule()
        var now = Timestamp(seconds: 1_800_000_000)
        #expect(schedule.keyIsUnknown(at: now) == .begin)
        schedule.succeeded(at: now, maximumAge: nil)
        now = now + .seconds(1)
        #expect(schedule.keyIsUnknown(at: now) == .refuse)
        #expect(schedule.keyIsUnknown(at: now, isVouchedFor: true) == .begin)
        #expect(schedule.keyIsUnknown(at: now, isVouchedFor: true) == .wait)
        schedule.succeeded(at: now, maximumAge: nil)
        #expect(schedule.keyIsUnknown(at: now + .seconds(4), isVouchedFor: true) == .refuse)
        #expect(schedule.keyIsUnknown(at: now + .seconds(5), isVouchedFor: true) == .begin)
    }

    @Test func withoutKeysItIsNotThatTheTokenIsBad() async throws {
        let scene = try ProviderScene()
        scene.fetcher.answer(ProviderScene.keys, nil)
        #expect(try await scene.refusal() == .unavailable)
    }
}

/// What changes at a provider while people are on their way.
@Suite struct ProviderChangeTests {
    private func complete(_ scene: ProviderScene, _ flow: AuthorizationFlow, by signer: TokenSigner? = nil) async throws
        -> ProvedPerson
    {
        let now = scene.clock.now().seconds
        let token = try scene.signed(
            [
                "iss": "\"\(FlowTests.issuer)\"", "aud": "\"client\"", "sub": "\"ann\"", "exp": "\(now + 120)",
                "iat": "\(now)", "nonce": "\"no\"", "email": "\"a@example.com\"", "name": "\"A\"", "groups": "[]",
            ], by: signer)
        let answer = "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"\(token)\"}"
        for url in ["/t", "/t2"] { scene.fetcher.answer(FlowTests.issuer + url, Array(answer.utf8)) }
        return try await scene.provider.complete(flow, AuthorizationAnswer(code: "c", issuer: nil, error: nil))
    }

    private func failure(_ body: () async throws -> Void) async -> FlowFailure.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? FlowFailure)?.code
        }
    }

    @Test func keysThatChangeInTheMiddleAreFetchedAndOldOnesAreNot() async throws {
        let scene = try ProviderScene()
        let flow = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x")
        #expect(try await complete(scene, flow).subject == "ann")
        let old = scene.signer
        let new = try TokenSigner(key: try PrivateKey.generate(.p256))
        try scene.publish([new])
        #expect(try await complete(scene, flow, by: new).subject == "ann")
        // The one that is gone signs for nobody any more.
        scene.clock.advance(by: .seconds(10))
        #expect(await failure { _ = try await complete(scene, flow, by: old) } == .badToken)
        // And another change a moment later is met as well.
        let next = try TokenSigner(key: try PrivateKey.generate(.ed25519))
        try scene.publish([next, new])
        scene.clock.advance(by: .seconds(10))
        #expect(try await complete(scene, flow, by: next).subject == "ann")
    }

    @Test func endpointsThatMoveAreNewFlowsEndpoints() async throws {
        let scene = try ProviderScene()
        let before = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x")
        let moved = FlowTests.metadata.split(separator: "\n").joined()
        scene.fetcher.answer(
            ProviderScene.document,
            Array(
                moved.replacing("https://idp.example.com/t\"", with: "https://idp.example.com/t2\"")
                    .replacing("/a?x=y", with: "/b").utf8))
        scene.clock.advance(by: .seconds(3601))
        let after = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x")
        #expect(before.url.hasPrefix("https://idp.example.com/a?") && after.url.hasPrefix("https://idp.example.com/b?"))
        // Each code goes to where its own sign-in began.
        _ = try await complete(scene, before)
        #expect(scene.fetcher.requests.filter { $0.contains("/t") } == ["https://idp.example.com/t"])
        _ = try await complete(scene, after)
        #expect(scene.fetcher.requests.filter { $0.contains("/t") }.last == "https://idp.example.com/t2")
    }

    /// A provider that is somebody else's from one day to the next.
    @Test func aDocumentThatChangesHandsBeginsNothing() async throws {
        let scene = try ProviderScene()
        _ = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x")
        for (change, code) in [
            ("\"issuer\":\"https://evil.example\"", FlowFailure.Code.badMetadata), ("\"issuer\":1", .badMetadata),
            ("\"issuer\":\"https://idp.example.com/\"", .badMetadata),
        ] {
            let text = FlowTests.metadata.replacing("\"issuer\":\"https://idp.example.com\"", with: change)
            scene.fetcher.answer(ProviderScene.document, Array(text.utf8))
            scene.clock.advance(by: .seconds(3601))
            #expect(await failure { _ = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x") } == code)
        }
        scene.fetcher.answer(
            ProviderScene.document, Array("{}".utf8), status: 302, headers: [("location", "https://e")])
        scene.clock.advance(by: .seconds(3601))
        #expect(
            await failure { _ = try await scene.provider.begin(FlowTests.secrets, redirectURI: "x") } == .unavailable)
    }

    /// Keys may be elsewhere in the world, and never on this machine or in the clear.
    @Test(arguments: [
        ("https://keys.example.net/jwks", true), ("http://keys.example.net/jwks", false),
        ("http://127.0.0.1:8080/jwks", false), ("http://localhost/jwks", false), ("http://[::1]/jwks", false),
        ("file:///etc/passwd", false), ("https://user:pw@keys.example.net/jwks", false), ("/jwks", false),
        ("javascript:alert(1)", false), ("https://keys.example.net/jwks\\n", false), ("", false),
    ])
    func keysAreFetchedFromWhereTheyMayBe(_ url: String, _ isAsked: Bool) async throws {
        let scene = try ProviderScene(
            metadata: FlowTests.metadata.replacing("https://idp.example.com/jwks", with: url))
        try scene.publish([scene.signer], at: url)
        #expect(try await scene.refusal() == (isAsked ? nil : .unavailable))
        #expect(scene.fetcher.requests.contains(url) == isAsked)
        let examined = await failure { _ = try await scene.provider.examine() }
        #expect(examined == (isAsked ? nil : .unavailable))
    }

    @Test func aRedirectOfKeysLeadsNowhere() async throws {
        let scene = try ProviderScene()
        scene.fetcher.answer(
            ProviderScene.keys, Array("{}".utf8), status: 302, headers: [("location", "https://evil.example/jwks")])
        #expect(try await scene.refusal() == .unavailable)
        #expect(Set(scene.fetcher.requests) == [ProviderScene.document, ProviderScene.keys])
    }

    @Test func anExaminationSaysWhatThereIs() async throws {
        let scene = try ProviderScene()
        let found = try await scene.provider.examine()
        #expect(found.keys == 1 && found.tokenEndpoint == "https://idp.example.com/t")
        #expect(found.endSessionEndpoint == nil && found.checked == [.metadata, .keys])
    }
}
