import Core
import Cryptography
import JOSE
import Testing

@testable import Federation

/// What a tunnel's foreign identity is judged by when its token is gone.
@Suite struct RecheckTests {
    private func identified(_ scene: Scene) async throws -> Identity {
        await scene.issuers.refreshDue()
        return try #require(scene.read(try scene.token()).identity)
    }

    private func recheck(_ scene: Scene, _ identity: Identity, with reader: ForeignTokenReader? = nil)
        -> CredentialReading
    {
        (reader ?? scene.reader).recheck(identity, at: scene.clock.now())
    }

    @Test func aTokenIsGoodUntilItEndsOrTheAccountsObject() async throws {
        let scene = try Scene()
        let identity = try await identified(scene)
        #expect(recheck(scene, identity).identity?.user == "corp:ann")
        scene.standing.refused = .userDisabled
        #expect(recheck(scene, identity).refusal == .userDisabled)
        scene.standing.refused = nil
        scene.clock.advance(by: .seconds(661))
        #expect(recheck(scene, identity).refusal == .credentialExpired)
    }

    @Test func aKeyThatTheIssuerWithdrewEndsIt() async throws {
        let scene = try Scene(maximumAge: 1)
        let identity = try await identified(scene)
        scene.publish([try TokenSigner(key: try PrivateKey.generate(.p256))], maximumAge: 1)
        scene.clock.advance(by: .seconds(400))
        await scene.issuers.refreshDue()
        #expect(recheck(scene, identity).refusal == .credentialUnknown)
    }

    @Test func afterAReloadTheSameIssuerVouchesAndAnotherDoesNot() async throws {
        let scene = try Scene()
        let identity = try await identified(scene)
        let same = try #require(scene.issuers.all.first).configuration
        func reader(_ configurations: [IssuerConfiguration]) -> (Issuers, ForeignTokenReader) {
            let issuers = Issuers(configurations, fetcher: scene.fetcher, clock: scene.clock, log: quiet)
            return (issuers, ForeignTokenReader(issuers: issuers, standing: scene.standing))
        }
        // Its keys have not been fetched yet, and then they have.
        let (issuers, again) = reader([same])
        #expect(recheck(scene, identity, with: again).identity != nil)
        await issuers.refreshDue()
        #expect(recheck(scene, identity, with: again).identity != nil)
        var narrower = same
        narrower.audiences = ["other"]
        #expect(recheck(scene, identity, with: reader([narrower]).1).refusal == .credentialUnknown)
        #expect(recheck(scene, identity, with: reader([]).1).refusal == .credentialUnknown)
    }

    /// A reload that only adds to what is accepted ends nothing; one by which the token would mean somebody else does.
    @Test func afterAReloadTheTokenHasToMeanTheSame() async throws {
        let scene = try Scene()
        let identity = try await identified(scene)
        let same = try #require(scene.issuers.all.first).configuration
        func isGood(_ change: (inout IssuerConfiguration) -> Void) -> Bool {
            var other = same
            change(&other)
            let issuers = Issuers(
                [other], replacing: scene.issuers, fetcher: scene.fetcher, clock: scene.clock, log: quiet)
            let reader = ForeignTokenReader(issuers: issuers, standing: scene.standing)
            return recheck(scene, identity, with: reader).identity != nil
        }
        #expect(isGood { $0.audiences.append("more") })
        #expect(isGood { $0.algorithms.insert(.ps512) })
        #expect(!isGood { $0.algorithms = [.ps512] })
        #expect(!isGood { $0.userPrefix = "other:" })
        #expect(!isGood { $0.groupsPrefix = "other:" })
        #expect(!isGood { $0.claims.user = "email" })
        #expect(!isGood { $0.emailTrusted.toggle() })
        #expect(!isGood { $0.matching = .email })
        #expect(!isGood { $0.id = "other" })
        #expect(!isGood { $0.issuer = "https://other.example.com" })
        #expect(!isGood { $0.keys = .url("https://other.example.com/jwks") })
    }

    @Test func otherIdentitiesAreNotMine() async throws {
        let scene = try Scene()
        let key = Identity(
            kind: .apiKey, credentialID: "k", subject: "s", user: "u",
            origin: .apiKey(digest: [UInt8](repeating: 0, count: 32)))
        #expect(recheck(scene, key).isNotMine)
        #expect(recheck(scene, Identity(kind: .jwt, credentialID: "k", subject: "s", user: "u")).isNotMine)
    }
}
