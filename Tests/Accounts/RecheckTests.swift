import Core
import Testing

@testable import Accounts

/// What a tunnel's identity is judged by when its credential is gone.
@Suite struct RecheckTests {
    private struct Scene {
        let test: TestStore
        let reader: AccountReader
        let key: IssuedAPIKey
        let keyIdentity: Identity
        let session: String
        let tokenIdentity: Identity

        init() throws {
            test = try TestStore()
            try test.store.maintainSigningKeys()
            try test.addUser()
            key = try test.addKey()
            let token = try test.store.issueAccessToken(
                user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
            session = token.session
            reader = try AccountReader(store: test.store)
            keyIdentity = try #require(reader.read(key.secret, at: test.now).identity)
            tokenIdentity = try #require(reader.read(token.accessToken, .bearer, at: test.now).identity)
        }
    }

    @Test func whileNothingChangesTheIdentityStaysTheSameAndNothingIsDecoded() throws {
        let scene = try Scene()
        let decodes = scene.reader.decodes
        for number in 0..<10 {
            #expect(scene.reader.recheck(scene.keyIdentity, at: scene.test.now).identity === scene.keyIdentity)
            #expect(scene.reader.recheck(scene.tokenIdentity, at: scene.test.now).identity === scene.tokenIdentity)
            // Somebody else's change makes the headers be read, no more.
            try scene.test.addUser("other\(number)@example.com")
        }
        #expect(scene.reader.decodes == decodes)
    }

    @Test func aReaderThatNeverSawTheCredentialJudgesItToo() throws {
        let scene = try Scene()
        let other = try AccountReader(store: scene.test.store, cacheEntries: 0)
        #expect(other.recheck(scene.keyIdentity, at: scene.test.now).identity?.credentialID == scene.key.key.id)
        #expect(other.recheck(scene.tokenIdentity, at: scene.test.now).identity?.session == scene.session)
    }

    @Test func lesson29_65_revocationIsSeen() throws {
        let scene = try Scene()
        _ = try scene.test.store.revokeAPIKey(scene.key.key.id, by: TestStore.cli)
        #expect(scene.reader.recheck(scene.keyIdentity, at: scene.test.now).reason == .credentialRevoked)
        #expect(scene.reader.recheck(scene.tokenIdentity, at: scene.test.now).identity != nil)
        _ = try scene.test.store.revokeSession(scene.session, by: TestStore.cli)
        #expect(scene.reader.recheck(scene.tokenIdentity, at: scene.test.now).reason == .credentialRevoked)
    }

    @Test func lesson30_disablingBlockingAndDeletingAreSeen() throws {
        let scene = try Scene()
        _ = try scene.test.store.disableUser("ada@example.com", by: TestStore.cli)
        for identity in [scene.keyIdentity, scene.tokenIdentity] {
            #expect(scene.reader.recheck(identity, at: scene.test.now).reason == .userDisabled)
        }
        _ = try scene.test.store.deleteUser("ada@example.com", by: TestStore.cli)
        for identity in [scene.keyIdentity, scene.tokenIdentity] {
            #expect(scene.reader.recheck(identity, at: scene.test.now).reason == .credentialRevoked)
        }
    }

    @Test func expiryIsComparedAtEachLook() throws {
        let scene = try Scene()
        #expect(
            scene.reader.recheck(scene.tokenIdentity, at: scene.test.now + .seconds(900)).reason == .credentialExpired)
    }

    @Test func groupsAreTheNewOnes() throws {
        let scene = try Scene()
        _ = try scene.test.store.setGroups("ada@example.com", to: ["visitors"], by: TestStore.cli)
        #expect(scene.reader.recheck(scene.keyIdentity, at: scene.test.now).identity?.groups == ["visitors"])
    }

    @Test func aTokenWhoseKeyIsNoLongerOursIsRefused() throws {
        let scene = try Scene()
        guard case .accessToken(var origin)? = scene.tokenIdentity.origin else {
            Issue.record("the identity of a token does not say so")
            return
        }
        origin.keyID = "another"
        let stranger = Identity(
            kind: .session, credentialID: scene.session, subject: origin.subject, user: "ada@example.com",
            origin: .accessToken(origin))
        #expect(scene.reader.recheck(stranger, at: scene.test.now).reason == .credentialUnknown)
    }

    @Test func otherIdentitiesAreNotMineAndAStoreThatIsGoneRefuses() throws {
        let scene = try Scene()
        let bare = Identity(kind: .apiKey, credentialID: "k", subject: "s", user: "u")
        #expect(scene.reader.recheck(bare, at: scene.test.now).isNotMine)
        let standing = try LocalStanding(store: scene.test.store)
        let claims = StandingTests.foreign()
        let foreign = try #require(standing.standing(of: claims, at: scene.test.now).identity)
        #expect(scene.reader.recheck(foreign, at: scene.test.now).isNotMine)
        guard case .foreign(let kept)? = foreign.origin, kept === claims else {
            Issue.record("a foreign identity does not say from what it was made")
            return
        }
        scene.test.close()
        let reading = scene.reader.recheck(scene.keyIdentity, at: scene.test.now)
        #expect(reading.reason == .storeUnavailable)
    }
}
