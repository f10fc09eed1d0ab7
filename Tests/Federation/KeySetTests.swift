import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

@Suite struct KeySetTests {
    @Test func anUnknownKeyFetchesOnceAndWaits() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let successor = try TokenSigner(key: try PrivateKey.generate(.p256))
        scene.publish([scene.signer, successor])
        scene.clock.advance(by: .seconds(31))
        let release = scene.fetcher.hold()
        let token = try scene.token(signer: successor)
        let first = try #require(scene.read(token).pending)
        let second = try #require(scene.read(token).pending)
        release()
        await first.wait()
        await second.wait()
        #expect(scene.fetcher.requests.count == 2)
        #expect(scene.read(token).identity != nil)
    }

    @Test func unknownKeysFetchAtMostOnceInThirtySeconds() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let stranger = try TokenSigner(key: try PrivateKey.generate(.p256))
        scene.clock.advance(by: .seconds(31))
        let pending = try #require(scene.read(try scene.token(signer: stranger)).pending)
        await pending.wait()
        #expect(scene.read(try scene.token(signer: stranger)).refusal == .credentialUnknown)
        scene.clock.advance(by: .seconds(29))
        #expect(scene.read(try scene.token(signer: stranger)).refusal == .credentialUnknown)
        #expect(scene.fetcher.requests.count == 2)
        scene.clock.advance(by: .seconds(2))
        #expect(scene.read(try scene.token(signer: stranger)).pending != nil)
    }

    /// Without a `kid` nothing but the signature says that the issuer has a new key.
    @Test func keysWithoutNamesAreFetchedAgainToo() async throws {
        let scene = try Scene()
        scene.publishNameless(scene.signer)
        await scene.issuers.refreshDue()
        #expect(scene.read(try scene.token()).identity != nil)
        let successor = try TokenSigner(key: try PrivateKey.generate(.p256))
        scene.publishNameless(successor)
        scene.clock.advance(by: .seconds(31))
        let token = try scene.token(signer: successor)
        let pending = try #require(scene.read(token).pending)
        await pending.wait()
        #expect(scene.read(token).identity != nil)
        // The one before has left the set; that is looked up at most once in thirty seconds.
        #expect(scene.read(try scene.token()).refusal == .credentialUnknown)
        #expect(scene.fetcher.requests.count == 2)
    }

    @Test func aClockThatWasSetBackDelaysNoFetch() {
        var schedule = RefetchSchedule()
        let now = Timestamp(seconds: 1_800_000_000)
        schedule.succeeded(at: now, maximumAge: .seconds(86_400))
        let due = [Duration.seconds(86_399), .zero, .seconds(-1)].map { schedule.beginIfDue(at: now + $0) }
        #expect(due == [false, false, true])
    }

    @Test func lesson80_oldKeysStayWhileTheIssuerIsDown() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        for body in [
            nil, [], Array("<html>".utf8), Array("{\"keys\":[]}".utf8), [UInt8](repeating: 32, count: 300_000),
        ] {
            scene.fetcher.answer(Scene.url, body)
            scene.clock.advance(by: .seconds(301))
            await scene.issuers.refreshDue()
            #expect(scene.read(try scene.token()).identity != nil)
        }
        scene.fetcher.answer(Scene.url, Array("{}".utf8), status: 302, headers: [("location", "https://evil.example")])
        scene.clock.advance(by: .seconds(301))
        await scene.issuers.refreshDue()
        #expect(scene.read(try scene.token()).identity != nil)
        #expect(Set(scene.fetcher.requests) == [Scene.url])
    }

    @Test func cacheHeadersDecideTheNextFetch() async throws {
        let scene = try Scene(maximumAge: 3600)
        await scene.issuers.refreshDue()
        scene.clock.advance(by: .seconds(3599))
        await scene.issuers.refreshDue()
        #expect(scene.fetcher.requests.count == 1)
        scene.clock.advance(by: .seconds(2))
        await scene.issuers.refreshDue()
        #expect(scene.fetcher.requests.count == 2)
    }

    @Test(arguments: [
        ("max-age=60", Duration.seconds(60)), ("public, Max-Age=\"90\"", .seconds(90)), ("no-store", .zero),
        ("max-age=-1", nil), ("max-age=99999999999999999999", nil), ("private", nil),
        ("max-age=999999999", .seconds(86_400)),
    ])
    func cacheControl(text: String, lifetime: Duration?) {
        let response = FetchResponse(status: 200, headers: [("cache-control", text)], body: [])
        #expect(CacheLifetime.parse(response) == lifetime)
    }

    @Test func notReadyBeforeTheFirstSet() async throws {
        let scene = try Scene()
        #expect(scene.issuers.withoutKeys == ["corp"])
        #expect(scene.read(try scene.token()).pending != nil)
        await scene.issuers.refreshDue()
        scene.clock.advance(by: .seconds(60))
        await scene.issuers.refreshDue()
        #expect(scene.issuers.withoutKeys == [])
    }

    @Test func discoveryMustNameTheSameIssuer() async throws {
        let document = "https://idp.example.com/.well-known/openid-configuration"
        let scene = try Scene(keys: .discovery)
        scene.fetcher.answer(
            document, Array("{\"issuer\":\"https://evil.example.com\",\"jwks_uri\":\"\(Scene.url)\"}".utf8))
        await scene.issuers.refreshDue()
        #expect(scene.issuers.withoutKeys == ["corp"])
        #expect(scene.fetcher.requests == [document])
        scene.fetcher.answer(
            document, Array("{\"issuer\":\"https://idp.example.com\",\"jwks_uri\":\"\(Scene.url)\"}".utf8))
        scene.clock.advance(by: .seconds(5))
        await scene.issuers.refreshDue()
        #expect(scene.issuers.withoutKeys == [])
        #expect(scene.read(try scene.token()).identity != nil)
    }

    @Test func symmetricKeysOnlyFromTheOperator() async throws {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
        let set = Array("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"\(secret)\"}]}".utf8)
        let own = try Scene(algorithms: [.hs256], keys: .inline(set))
        await own.issuers.refreshDue()
        #expect(own.issuers.withoutKeys == [])
        let fetched = try Scene(algorithms: [.hs256])
        fetched.fetcher.answer(Scene.url, set)
        await fetched.issuers.refreshDue()
        #expect(fetched.issuers.withoutKeys == ["corp"])
    }
}

/// What a reload does with the keys that are known.
@Suite struct ReplacedIssuersTests {
    private func configuration(_ change: (inout IssuerConfiguration) -> Void = { _ in }) -> IssuerConfiguration {
        var configuration = IssuerConfiguration(
            id: "corp", issuer: "https://idp.example.com", audiences: ["wiki"], keys: .url(Scene.url),
            algorithms: [.es256], userPrefix: "corp:", groupsPrefix: "corp:")
        change(&configuration)
        return configuration
    }

    private func replaced(_ scene: Scene, by configuration: IssuerConfiguration) -> Issuers {
        Issuers([configuration], replacing: scene.issuers, fetcher: scene.fetcher, clock: scene.clock, log: quiet)
    }

    @Test func theSameIssuerGoesOn() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let issuers = replaced(scene, by: configuration())
        #expect(issuers.all[0] === scene.issuers.all[0])
        await issuers.refreshDue()
        #expect(scene.fetcher.requests.count == 1)
    }

    @Test func keysFromTheSamePlaceAreTakenOver() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let issuers = replaced(scene, by: configuration { $0.userPrefix = "other:" })
        #expect(issuers.withoutKeys.isEmpty)
        await issuers.refreshDue()
        #expect(scene.fetcher.requests.count == 1, "and when they are to be fetched again")
        let reader = ForeignTokenReader(issuers: issuers, standing: scene.standing)
        let token = try scene.token()
        let reading = reader.read(PresentedCredential(source: .bearer, bytes: token.span), at: scene.clock.now())
        #expect(reading.identity?.user == "other:ann")
        scene.clock.advance(by: .seconds(301))
        await issuers.refreshDue()
        #expect(scene.fetcher.requests.count == 2)
    }

    @Test func aFetchUnderWayKeepsNobodyWaiting() async throws {
        let scene = try Scene()
        let release = scene.fetcher.hold()
        let old = scene.issuers
        async let first: Void = old.refreshDue()
        while scene.fetcher.requests.isEmpty { await Task.yield() }
        let issuers = replaced(scene, by: configuration { $0.userPrefix = "other:" })
        async let second: Void = issuers.refreshDue()
        while scene.fetcher.requests.count < 2 { await Task.yield() }
        release()
        await first
        await second
        #expect(issuers.withoutKeys.isEmpty && old.withoutKeys.isEmpty)
    }

    @Test func keysFromElsewhereAreFetched() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        for change in [{ $0.keys = .url("https://idp.example.com/new") }, { $0.issuer = "https://other.example.com" }]
            as [(inout IssuerConfiguration) -> Void]
        {
            #expect(replaced(scene, by: configuration(change)).withoutKeys == ["corp"])
        }
    }

    @Test func aFetchIsNotCancelledWithWhoAskedForIt() async throws {
        let scene = try Scene()
        let release = scene.fetcher.hold()
        let issuers = scene.issuers
        let asking = Task { await issuers.refreshDue() }
        while scene.fetcher.requests.isEmpty { await Task.yield() }
        asking.cancel()
        release()
        await asking.value
        #expect(issuers.withoutKeys.isEmpty)
    }
}
