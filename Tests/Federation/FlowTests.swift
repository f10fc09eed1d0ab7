import Core
import JOSE
import Testing

@testable import Federation

/// The pieces of a sign-in at a provider that need no connection, and flows against a provider that is a table. Real
/// connections, and a provider that misbehaves in every way, are in the live tests.
@Suite struct FlowTests {
    static let issuer = "https://idp.example.com"
    static let metadata = """
        {"issuer":"https://idp.example.com","authorization_endpoint":"https://idp.example.com/a?x=y",
        "token_endpoint":"https://idp.example.com/t","userinfo_endpoint":"https://idp.example.com/u",
        "jwks_uri":"https://idp.example.com/jwks"}
        """

    static func configuration(_ kind: ProviderConfiguration.Kind = .oidc) -> ProviderConfiguration {
        ProviderConfiguration(
            id: "corp", kind: kind, name: "Corp", issuer: kind == .github ? "https://github.com" : issuer,
            clientID: "client", clientSecret: SecretBytes(copying: Array("secret".utf8)), scopes: ["openid", "email"],
            groupsClaim: "groups", groupsPrefix: "corp:")
    }

    static func provider(
        _ fetcher: TableFetcher, _ kind: ProviderConfiguration.Kind = .oidc, clock: ManualClock = ManualClock()
    ) -> Provider {
        Provider(configuration(kind), fetcher: fetcher, clock: clock, log: quiet)
    }

    static let person = FlowFailure.RefusedPerson(issuer: issuer, subject: "1")

    static let secrets = AuthorizationFlow.Secrets(
        state: "st", nonce: "no", verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    @Test func theChallengeIsThatOfTheRFC() {
        #expect(Self.secrets.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        #expect(CodeChallenge.holds(Self.secrets.challenge, verifier: Self.secrets.verifier))
        #expect(!CodeChallenge.holds(Self.secrets.challenge, verifier: Self.secrets.challenge))
        #expect(!CodeChallenge.holds("", verifier: ""))
        #expect(!CodeChallenge.isWellFormed("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c"))
        #expect(!CodeChallenge.isWellFormed("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"))
    }

    @Test func theHashOfATokenIsThatOfOpenIDConnect() {
        // OpenID Connect Core 1.0, appendix A.3.
        #expect(
            TokenHash.of("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", algorithm: .rs256) == "77QmUPtjPfzWtF2AnpK9RQ")
        #expect(TokenHash.of("a", algorithm: .es384).utf8.count == 32)
        #expect(TokenHash.of("a", algorithm: .edDSA).utf8.count == 43)
    }

    @Test func theRequestSaysEverythingOnceAndEscaped() async throws {
        let fetcher = TableFetcher()
        fetcher.answer(Self.issuer + "/.well-known/openid-configuration", Array(Self.metadata.utf8))
        let provider = Self.provider(fetcher)
        let flow = try await provider.begin(
            Self.secrets, redirectURI: "https://auth.example.com/.auth/oauth/corp/callback")
        #expect(
            flow.url
                == "https://idp.example.com/a?x=y&response_type=code&client_id=client"
                + "&redirect_uri=https%3A%2F%2Fauth.example.com%2F.auth%2Foauth%2Fcorp%2Fcallback&scope=openid%20email"
                + "&state=st&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
                + "&nonce=no")
        // Kept for an hour, and then asked for again.
        _ = try await provider.begin(Self.secrets, redirectURI: "x")
        #expect(fetcher.requests.count == 1)
    }

    @Test func metadataIsFetchedOnceForAllWhoWait() async throws {
        let fetcher = TableFetcher()
        let clock = ManualClock()
        fetcher.answer(Self.issuer + "/.well-known/openid-configuration", Array(Self.metadata.utf8))
        let provider = Self.provider(fetcher, clock: clock)
        let release = fetcher.hold()
        let flows = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask { _ = try await provider.begin(Self.secrets, redirectURI: "x") }
                }
                try await group.waitForAll()
            }
        }
        release()
        try await flows.value
        #expect(fetcher.requests.count == 1)
        clock.advance(by: .seconds(3601))
        _ = try await provider.begin(Self.secrets, redirectURI: "x")
        #expect(fetcher.requests.count == 2)
    }

    @Test func aProviderThatIsDownIsAskedAgainSoon() async throws {
        let fetcher = TableFetcher()
        let clock = ManualClock()
        let provider = Self.provider(fetcher, clock: clock)
        for _ in 0..<5 {
            await #expect(throws: FlowFailure.noRandomness) {
                _ = try await provider.begin(Self.secrets, redirectURI: "x")
            }
        }
        #expect(fetcher.requests.count == 1)
        fetcher.answer(Self.issuer + "/.well-known/openid-configuration", Array(Self.metadata.utf8))
        clock.advance(by: .seconds(3))
        _ = try await provider.begin(Self.secrets, redirectURI: "x")
    }

    @Test(arguments: [
        "http://idp.example.com/", "javascript:alert(1)", "https://", "https://a@b/", "https://a/#b", "https://a b/",
        "ftp://a/", "//a/", "https://a/\\b", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/",
        "http://[::1", "https://a/\n",
    ])
    func endpointsThatNothingIsSentTo(_ url: String) { #expect(!ProviderMetadata.isUsable(url, local: true)) }

    @Test(arguments: ["https://idp.example.com/x?y", "http://127.0.0.1:8080/", "http://[::1]:80/a", "http://localhost"])
    func endpointsThatCanBeUsed(_ url: String) { #expect(ProviderMetadata.isUsable(url, local: true)) }

    /// A provider elsewhere has us ask nothing that listens here.
    @Test(arguments: ["http://127.0.0.1:8080/", "http://[::1]:80/a", "http://localhost/x"])
    func onlyAProviderOnThisMachineNamesAddressesOfThisMachine(_ url: String) throws {
        #expect(!ProviderMetadata.isUsable(url, local: false))
        for (issuer, isGood) in [(Self.issuer, false), ("http://127.0.0.1:9000/realm", true)] {
            let document = Self.metadata.replacing("https://idp.example.com/t", with: url)
                .replacing("\"issuer\":\"https://idp.example.com\"", with: "\"issuer\":\"\(issuer)\"")
            let metadata = try? ProviderMetadata(discovered: Array(document.utf8), issuer: issuer)
            #expect((metadata?.tokenEndpoint == url) == isGood)
        }
    }

    @Test func lesson10_whatTheProviderDidNotSayDoesNotHold() throws {
        typealias Acceptance = ProviderConfiguration.Acceptance
        func accepts(_ change: (inout Acceptance) -> Void) -> Bool {
            var acceptance = Acceptance()
            change(&acceptance)
            return
                (try? AcceptanceCheck(acceptance: acceptance, person: Self.person).check(
                    email: nil, emailIsVerified: true, hostedDomain: nil, groups: [], organizations: [])) != nil
        }
        #expect(accepts { _ in })
        #expect(!accepts { $0.emails = [] })
        #expect(!accepts { $0.domains = ["example.com"] })
        #expect(!accepts { $0.hostedDomains = ["example.com"] })
        #expect(!accepts { $0.groups = ["staff"] })
        #expect(!accepts { $0.organizations = ["example"] })
    }

    @Test func allThatIsRestrictedMustHold() throws {
        var acceptance = ProviderConfiguration.Acceptance()
        acceptance.domains = ["example.com"]
        acceptance.groups = ["staff"]
        let check = AcceptanceCheck(acceptance: acceptance, person: Self.person)
        func holds(_ email: String, _ verified: Bool, _ groups: [String]) -> Bool {
            (try? check.check(
                email: EmailAddress(email), emailIsVerified: verified, hostedDomain: nil, groups: groups,
                organizations: [])) != nil
        }
        #expect(holds("a@EXAMPLE.com", true, ["x", "staff"]))
        #expect(!holds("a@example.com", true, ["Staff"]))
        #expect(!holds("a@example.com", false, ["staff"]))
        #expect(!holds("a@example.com.evil.example", true, ["staff"]))
    }

    @Test func whoIsNotAcceptedIsNamed() throws {
        var acceptance = ProviderConfiguration.Acceptance()
        acceptance.groups = ["staff"]
        let error = #expect(throws: FlowFailure.self) {
            try AcceptanceCheck(acceptance: acceptance, person: Self.person).check(
                email: nil, emailIsVerified: false, hostedDomain: nil, groups: [], organizations: [])
        }
        #expect(error?.code == .notAccepted && error?.person == Self.person)
    }

    /// GitHub lets everybody through who is signed in there: that proves nothing anew.
    @Test func aProviderThatCannotAskAnewIsNotAskedTo() async throws {
        let provider = Self.provider(TableFetcher(), .github)
        let error = await #expect(throws: FlowFailure.self) {
            _ = try await provider.begin(Self.secrets, redirectURI: "x", anew: true)
        }
        #expect(error?.code == .tooOld)
        _ = try await provider.begin(Self.secrets, redirectURI: "x")
    }

    /// Google verifies any address once; only of its own mailboxes and of a Workspace's domain it knows today.
    @Test(arguments: [
        ("a@example.com", "null", false), ("a@example.com", "\"example.com\"", true),
        ("a@example.com", "\"other.example\"", false), ("a@example.com", "[\"example.com\"]", false),
        ("a@sub.example.com", "\"example.com\"", false), ("a@gmail.com", "null", true),
        ("a@GoogleMail.com", "null", true), ("a@gmail.com.evil.example", "null", false),
    ])
    func googleSpeaksForDomainsThatItHas(_ email: String, _ hosted: String, _ isVerified: Bool) throws {
        for mark in [true, false] {
            let text = "{\"email\":\"\(email)\",\"email_verified\":\(mark),\"hd\":\(hosted)}"
            let document = PersonDocument(try JSONReader.parse(Array(text.utf8)))
            #expect(document.email(.google)?.isVerified == (mark && isVerified))
        }
    }

    @Test func anAddressInSomebodysOwnTenantIsNotVerified() throws {
        for (mark, verified) in [("true", true), ("1", true), ("\"1\"", true), ("false", false), ("\"true\"", false)] {
            let text = "{\"email\":\"a@example.com\",\"email_verified\":true,\"xms_edov\":\(mark)}"
            let document = PersonDocument(try JSONReader.parse(Array(text.utf8)))
            #expect(document.email(.microsoft)?.isVerified == verified)
        }
        let text = "{\"email\":\"a@example.com\",\"email_verified\":true}"
        #expect(PersonDocument(try JSONReader.parse(Array(text.utf8))).email(.microsoft)?.isVerified == false)
    }
}
