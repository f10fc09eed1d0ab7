import Core
import LMDB
import Testing

@testable import Accounts

@Suite struct ReaderTests {
    private func ready() throws -> (test: TestStore, key: IssuedAPIKey, reader: AccountReader) {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        return (test, try test.addKey(), try AccountReader(store: test.store))
    }

    @Test func aKeyIsReadWhereverItStands() throws {
        let (test, key, reader) = try ready()
        for source in [PresentedCredential.Source.keyHeader, .bearer, .basicPassword] {
            let identity = try #require(reader.read(key.secret, source, at: test.now).identity)
            #expect(identity.kind == .apiKey && identity.credentialID == key.key.id)
            #expect(identity.user == "ada@example.com" && identity.email == "ada@example.com")
            #expect(identity.groups == ["staff"] && identity.scopes == nil && identity.bounds == nil)
            #expect(identity.factors == 0 && identity.session == nil && identity.authenticatedAt == nil)
        }
        // What stands in a cookie of our name is ours, and a key is no session.
        #expect(reader.read(key.secret, .cookie, at: test.now).reason == .credentialUnknown)
        for other in ["", "x", "gate-x", "GATE_x", "Gate_", "hunter2"] {
            for source in [PresentedCredential.Source.keyHeader, .bearer, .basicPassword] {
                #expect(reader.read(other, source, at: test.now).isNotMine)
            }
        }
    }

    @Test func refusalsSayWhyAndWhose() throws {
        let (test, key, reader) = try ready()
        let stranger = String(
            decoding: APIKeyText.make(random: try test.random.base62(43)), as: UTF8.self)
        #expect(reader.read(stranger, at: test.now).reason == .credentialUnknown)
        let short = try test.addKey(lifetime: .seconds(60))
        #expect(reader.read(short.secret, at: test.now).identity != nil)
        test.clock.advance(.seconds(60))
        guard case .refused(let refusal) = reader.read(short.secret, at: test.now) else {
            Issue.record("an expired key was not refused")
            return
        }
        #expect(refusal.reason == .credentialExpired && refusal.credentialID == short.key.id)
        #expect(refusal.user == "ada@example.com" && refusal.subject != nil)
        _ = try test.store.revokeAPIKey(key.key.id, by: TestStore.cli)
        #expect(reader.read(key.secret, at: test.now).reason == .credentialRevoked)
        let other = try test.addKey()
        _ = try test.store.disableUser("ada@example.com", by: TestStore.cli)
        #expect(reader.read(other.secret, at: test.now).reason == .userDisabled)
        _ = try test.store.deleteUser("ada@example.com", by: TestStore.cli)
        #expect(reader.read(other.secret, at: test.now).reason == .credentialRevoked)
        test.close()
        #expect(reader.read(other.secret, at: test.now).reason == .storeUnavailable)
    }

    @Test func lesson29_65_revocationIsSeenByTheNextReadWithWarmCaches() throws {
        let (test, key, _) = try ready()
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let readers = try (0..<3).map { _ in try AccountReader(store: test.store) }
        for reader in readers {
            for _ in 0..<3 {
                #expect(reader.read(key.secret, at: test.now).identity != nil)
                #expect(reader.read(token.accessToken, .bearer, at: test.now).identity != nil)
            }
        }
        _ = try test.store.revokeAPIKey(key.key.id, by: TestStore.cli)
        _ = try test.store.revokeSession(token.session, by: TestStore.cli)
        for reader in readers {
            #expect(reader.read(key.secret, at: test.now).reason == .credentialRevoked)
            #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .credentialRevoked)
        }
    }

    @Test func lesson30_aDisabledUserIsRefusedByEveryAuthenticator() throws {
        let (test, key, reader) = try ready()
        try test.addUser("bot@example.com", service: true)
        let botKey = try test.addKey("bot@example.com")
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let standing = try LocalStanding(store: test.store)
        let foreign = StandingTests.foreign(email: "ada@example.com", matching: .email)
        #expect(standing.standing(of: foreign, at: test.now).identity != nil)
        #expect(reader.read(botKey.secret, at: test.now).identity != nil)
        _ = try test.store.disableUser("ada@example.com", by: TestStore.cli)
        _ = try test.store.disableUser("bot@example.com", by: TestStore.cli)
        #expect(reader.read(key.secret, at: test.now).reason == .userDisabled)
        #expect(reader.read(botKey.secret, at: test.now).reason == .userDisabled)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .userDisabled)
        #expect(standing.standing(of: foreign, at: test.now).reason == .userDisabled)
        #expect(try test.store.identity(ofUser: "ada@example.com").reason == .userDisabled)
    }

    @Test func lesson31_expiryIsComparedAtEachUse() throws {
        let (test, _, reader) = try ready()
        let short = try test.addKey(lifetime: .seconds(10))
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(10), by: TestStore.cli)
        #expect(reader.read(short.secret, at: test.now + .milliseconds(9_999)).identity != nil)
        #expect(reader.read(short.secret, at: test.now + .seconds(10)).reason == .credentialExpired)
        #expect(reader.read(token.accessToken, .bearer, at: test.now + .milliseconds(9_999)).identity != nil)
        #expect(reader.read(token.accessToken, .bearer, at: test.now + .seconds(10)).reason == .credentialExpired)
    }

    @Test func lesson17_46_changedGroupsAreSeenByTheNextRead() throws {
        let (test, key, reader) = try ready()
        #expect(reader.read(key.secret, at: test.now).identity?.groups == ["staff"])
        _ = try test.store.setGroups("ada@example.com", to: ["admins"], by: TestStore.cli)
        #expect(reader.read(key.secret, at: test.now).identity?.groups == ["admins"])
        _ = try test.store.renameUser("ada@example.com", to: "ada", by: TestStore.cli)
        #expect(reader.read(key.secret, at: test.now).identity?.user == "ada")
    }

    @Test func lesson39_anAnswerIsForThatCredentialOnly() throws {
        let (test, key, reader) = try ready()
        let scoped = try test.addKey(scopes: ["wiki:read"])
        for _ in 0..<3 {
            #expect(reader.read(key.secret, at: test.now).identity?.scopes == nil)
            #expect(reader.read(scoped.secret, at: test.now).identity?.scopes == ["wiki:read"])
        }
        // Two stores (another public_url, other keys) share nothing.
        let other = try TestStore(seed: 9)
        #expect(try AccountReader(store: other.store).read(key.secret, at: test.now).reason == .credentialUnknown)
    }

    @Test func aStormOfWritesDoesNotMakeReadsDecode() throws {
        let (test, key, reader) = try ready()
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let first = try #require(reader.read(key.secret, at: test.now).identity)
        let session = try #require(reader.read(token.accessToken, .bearer, at: test.now).identity)
        #expect(reader.decodes == 2)
        for index in 0..<50 {
            try test.addUser("user\(index)@example.com")
            #expect(reader.read(key.secret, at: test.now).identity === first)
            #expect(reader.read(token.accessToken, .bearer, at: test.now).identity === session)
        }
        #expect(reader.decodes == 2)
        #expect(reader.hits == 100)
    }

    @Test func lastUseDoesNotMakeReadsDecode() throws {
        let (test, key, reader) = try ready()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        let identity = try #require(reader.read(key.secret, at: test.now).identity)
        sink.allowed(identity, route: "wiki", address: IPAddress("192.0.2.1"), at: test.now)
        try log.drain(final: true)
        #expect(reader.read(key.secret, at: test.now).identity === identity)
        #expect(try test.store.apiKey(key.key.id).lastUsedAt == test.now)
    }

    @Test func theCacheIsBoundedAndCanBeOff() throws {
        let (test, _, _) = try ready()
        let keys = try (0..<20).map { _ in try test.addKey().secret }
        let off = try AccountReader(store: test.store, cacheEntries: 0)
        let small = try AccountReader(store: test.store, cacheEntries: 4)
        for _ in 0..<3 {
            for key in keys {
                #expect(off.read(key, at: test.now).identity != nil)
                #expect(small.read(key, at: test.now).identity != nil)
            }
        }
        #expect(off.decodes == 60 && off.hits == 0)
        #expect(small.decodes > 20)
        let large = try AccountReader(store: test.store)
        for _ in 0..<3 { for key in keys { #expect(large.read(key, at: test.now).identity != nil) } }
        #expect(large.decodes == 20)
        large.invalidate()
        #expect(large.read(keys[0], at: test.now).identity != nil)
        #expect(large.decodes == 21)
    }

    @Test func unknownKeysTakeNoPlace() throws {
        let (test, key, _) = try ready()
        let reader = try AccountReader(store: test.store, cacheEntries: 2)
        let identity = try #require(reader.read(key.secret, at: test.now).identity)
        for _ in 0..<100 {
            let made = APIKeyText.make(random: try test.random.base62(43))
            #expect(reader.read(String(decoding: made, as: UTF8.self), at: test.now).reason == .credentialUnknown)
        }
        #expect(reader.read(key.secret, at: test.now).identity === identity)
    }

    @Test func aBlockIsHonouredByTheNextReadAndLiftedAgain() throws {
        let (test, key, reader) = try ready()
        #expect(reader.read(key.secret, at: test.now).identity != nil)
        let subject = BlockSubject.email(try #require(EmailAddress("ADA@example.com")))
        _ = try test.store.addBlock(subject, note: "lost laptop", by: TestStore.cli)
        #expect(throws: AccountsError(.exists, "")) { try test.store.addBlock(subject, by: TestStore.cli) }
        #expect(reader.read(key.secret, at: test.now).reason == .userDisabled)
        _ = try test.store.removeBlock(subject, by: TestStore.cli)
        #expect(throws: AccountsError(.notFound, "")) { try test.store.removeBlock(subject, by: TestStore.cli) }
        #expect(reader.read(key.secret, at: test.now).identity != nil)
        #expect(try test.events(AuditFilter(type: "block_added")).count == 1)
    }
}
