import Core
import LMDB
import Testing

@testable import Accounts

/// Sessions' cookies as the loops read them.
@Suite struct CookieTests {
    private func ready(_ policy: SessionPolicy = SessionPolicy()) throws -> (TestStore, Begun, AccountReader) {
        let test = try TestStore()
        try test.addUser()
        return (test, try test.begin(policy: policy), try AccountReader(store: test.store))
    }

    @Test func eachSecretIsGoodInItsOwnPlaceOnly() throws {
        let (test, begun, reader) = try ready()
        for _ in 0..<2 {
            let identity = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
            #expect(identity.kind == .session && identity.session == begun.id && identity.credentialID == begun.id)
            #expect(identity.user == "ada@example.com" && identity.amr == ["pwd"] && identity.factors == 1)
            #expect(identity.authenticatedAt == test.now)
            #expect(reader.read(begun.secrets.portal, .portalCookie, at: test.now).identity?.session == begun.id)
            #expect(reader.read(begun.secrets.portal, .cookie, at: test.now).reason == .credentialUnknown)
            #expect(reader.read(begun.secrets.app, .portalCookie, at: test.now).reason == .credentialUnknown)
        }
        for source in [PresentedCredential.Source.bearer, .keyHeader, .basicPassword] {
            #expect(reader.read(begun.secrets.portal, source, at: test.now).isNotMine)
        }
        #expect(begun.secrets.app != begun.secrets.portal)
        #expect(!begun.secrets.app.contains(begun.id) && !begun.id.contains(begun.secrets.app))
    }

    @Test func lesson21_whatIsNoSecretIsNobody() throws {
        let (test, begun, reader) = try ready()
        let texts = [
            "", "x", "\"\(begun.secrets.app)\"", begun.secrets.app + "A", String(begun.secrets.app.dropLast()),
            String(repeating: "A", count: 43), String(repeating: "\0", count: 43), String(repeating: "é", count: 21),
            String(repeating: "A", count: 100_000), begun.id,
        ]
        for text in texts {
            for source in [PresentedCredential.Source.cookie, .portalCookie] {
                #expect(reader.read(text, source, at: test.now).reason == .credentialUnknown)
            }
        }
    }

    @Test func onlyDigestsAreStored() throws {
        let (test, begun, _) = try ready()
        try test.store.read { transaction in
            try Tables.sessions.forEach(in: transaction) { _, _, bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                #expect(!text.contains(begun.secrets.app) && !text.contains(begun.secrets.portal))
                return true
            }
            #expect(try Tables.sessionSecrets.count(in: transaction) == 2)
        }
    }

    @Test func lesson78_idleAndAbsoluteLifetimesAreComparedAtEachUse() throws {
        let policy = SessionPolicy(idle: .seconds(60), lifetime: .seconds(100), remember: .seconds(1000))
        let (test, begun, reader) = try ready(policy)
        let start = test.now
        #expect(reader.read(begun.secrets.app, .cookie, at: start + .milliseconds(59_999)).identity != nil)
        // Used just now, so it is good for another minute, but not for longer than its lifetime.
        #expect(reader.read(begun.secrets.app, .cookie, at: start + .milliseconds(99_999)).identity != nil)
        #expect(reader.read(begun.secrets.app, .cookie, at: start + .seconds(100)).reason == .credentialExpired)
        let other = try AccountReader(store: test.store)
        #expect(other.read(begun.secrets.app, .cookie, at: start + .seconds(60)).reason == .credentialExpired)
        #expect(other.read(begun.secrets.app, .cookie, at: start + .seconds(60)).reason == .credentialExpired)
        // Remembered: only the one end.
        let remembered = try test.begin(policy: policy, remembered: true)
        #expect(remembered.secrets.remainsFor == .seconds(1000) && begun.secrets.remainsFor == nil)
        #expect(other.read(remembered.secrets.app, .cookie, at: start + .seconds(999)).identity != nil)
        #expect(other.read(remembered.secrets.app, .cookie, at: start + .seconds(1000)).reason == .credentialExpired)
    }

    @Test func useOnAnotherLoopKeepsASessionInUse() throws {
        let (test, begun, reader) = try ready(SessionPolicy(idle: .seconds(60), lifetime: .seconds(1000)))
        let other = try AccountReader(store: test.store)
        #expect(other.read(begun.secrets.app, .cookie, at: test.now).identity != nil)
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        test.clock.advance(.seconds(50))
        let identity = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
        sink.allowed(identity, route: "wiki", address: IPAddress("192.0.2.1"), at: test.now)
        try log.drain(final: true)
        test.clock.advance(.seconds(50))
        let decodes = other.decodes
        #expect(other.read(begun.secrets.app, .cookie, at: test.now).identity != nil)
        #expect(other.decodes == decodes)
        let session = try #require(try test.store.sessions().first)
        #expect(session.ipAddress == "192.0.2.1" && session.lastActivity == test.now - .seconds(50))
    }

    @Test func anOpenTunnelDoesNotKeepASessionInUse() throws {
        let (test, begun, reader) = try ready(SessionPolicy(idle: .seconds(60), lifetime: .seconds(1000)))
        let identity = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
        for second in stride(from: 0, to: 60, by: 10) {
            #expect(reader.recheck(identity, at: test.now + .seconds(Int64(second))).identity != nil)
        }
        #expect(reader.recheck(identity, at: test.now + .seconds(60)).reason == .credentialExpired)
    }

    @Test func newSecretsLeaveTheOldAppSecretTenSeconds() throws {
        let (test, begun, reader) = try ready()
        let identity = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
        #expect(reader.read(begun.secrets.portal, .portalCookie, at: test.now).identity != nil)
        let renewed = try test.renew(begun.id)
        #expect(reader.read(begun.secrets.portal, .portalCookie, at: test.now).reason == .credentialUnknown)
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now + .milliseconds(9_999)).identity != nil)
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now + .seconds(10)).reason == .credentialExpired)
        #expect(reader.read(renewed.app, .cookie, at: test.now + .seconds(10)).identity?.session == begun.id)
        #expect(reader.read(renewed.portal, .portalCookie, at: test.now).identity?.session == begun.id)
        // A tunnel belongs to the session, not to the secret.
        #expect(reader.recheck(identity, at: test.now + .seconds(10)).identity != nil)
        test.clock.advance(.seconds(11))
        while try test.store.sweep() > 0 {}
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now).reason == .credentialUnknown)
        #expect(reader.read(renewed.app, .cookie, at: test.now).identity != nil)
        let left = try test.store.read { try Tables.sessionSecrets.count(in: $0) }
        #expect(left == 2)
    }

    /// The old secret is good for what it was good for: who holds it has proved nothing more.
    @Test func lesson08_aReplacedSecretKeepsThePrivilegeOfBefore() throws {
        let (test, begun, reader) = try ready()
        let began = test.now
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now).identity?.factors == 1)
        test.clock.advance(.seconds(3))
        let second = try test.renew(begun.id) { session in
            session.factors = 2
            session.amr = ["pwd", "otp"]
            session.authenticatedAt = began + .seconds(3)
            session.secondFactorAt = began + .seconds(3)
        }
        for reader in [reader, try AccountReader(store: test.store)] {
            let old = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
            #expect(old.factors == 1 && old.amr == ["pwd"] && old.authenticatedAt == began)
            #expect(old.secondFactorAt == nil && old.session == begun.id)
            let new = try #require(reader.read(second.app, .cookie, at: test.now).identity)
            #expect(new.factors == 2 && new.amr == ["pwd", "otp"] && new.authenticatedAt == began + .seconds(3))
            #expect(new.secondFactorAt == began + .seconds(3))
        }
        // A second rise while the first one's old secret is still good.
        test.clock.advance(.seconds(2))
        let third = try test.renew(begun.id) { $0.authenticatedAt = began + .seconds(5) }
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now).identity?.factors == 1)
        #expect(reader.read(second.app, .cookie, at: test.now).identity?.authenticatedAt == began + .seconds(3))
        // What the session has lost since, its old secrets have lost as well.
        _ = try test.renew(begun.id) { session in
            session.factors = 1
            session.amr = ["pwd"]
            session.secondFactorAt = nil
        }
        let fallen = try #require(reader.read(third.app, .cookie, at: test.now).identity)
        #expect(fallen.factors == 1 && fallen.amr == ["pwd"] && fallen.secondFactorAt == nil)
    }

    @Test func lesson29_65_aRevokedSessionIsRefusedByTheNextRead() throws {
        let (test, begun, reader) = try ready()
        let other = try test.begin()
        let identity = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
        #expect(reader.read(other.secrets.app, .cookie, at: test.now).identity != nil)
        _ = try test.store.revokeSession(begun.id, by: TestStore.cli)
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now).reason == .credentialRevoked)
        #expect(reader.read(begun.secrets.portal, .portalCookie, at: test.now).reason == .credentialRevoked)
        #expect(reader.recheck(identity, at: test.now).reason == .credentialRevoked)
        #expect(reader.read(other.secrets.app, .cookie, at: test.now).identity != nil)
        _ = try test.store.disableUser("ada@example.com", by: TestStore.cli)
        #expect(reader.read(other.secrets.app, .cookie, at: test.now).reason == .userDisabled)
    }

    @Test func aRequestWithACookieDecodesNothingTwice() throws {
        let (test, begun, reader) = try ready()
        let first = try #require(reader.read(begun.secrets.app, .cookie, at: test.now).identity)
        for index in 0..<20 {
            try test.addUser("user\(index)@example.com")
            #expect(reader.read(begun.secrets.app, .cookie, at: test.now).identity === first)
        }
        #expect(reader.decodes == 1)
    }

    @Test func anEndedSessionIsFreedWithItsSecrets() throws {
        let (test, begun, reader) = try ready()
        test.clock.advance(.seconds(3 * 86_400))
        while try test.store.sweep() > 0 {}
        #expect(reader.read(begun.secrets.app, .cookie, at: test.now).reason == .credentialUnknown)
        let counts = try test.store.read {
            (try Tables.sessions.count(in: $0), try Tables.sessionSecrets.count(in: $0))
        }
        #expect(counts == (0, 0))
        #expect(try test.store.check() == [])
    }
}

/// A session with its secrets.
struct Begun: Sendable {
    let id: String
    let secrets: SessionSecrets
}

extension TestStore {
    /// A browser's session without the sign-in before it.
    func begin(
        _ user: String = "ada@example.com", policy: SessionPolicy = SessionPolicy(), remembered: Bool = false
    ) throws -> Begun {
        let now = now
        let store = store
        let id = try random.id("ses")
        let secrets = try NewSessionSecrets(random)
        let client = try KeptClient(Client())
        return try store.write { transaction in
            let owner = try store.require(user: user, in: transaction)
            var session = SessionRecord.browser(
                id, of: owner, by: .password, from: client, remembered: remembered, policy, at: now)
            try store.install(secrets, for: &session, at: now, in: transaction)
            try store.insert(session, in: transaction)
            return Begun(id: id, secrets: secrets.handedOut(for: session, at: now))
        }
    }

    ///
    /// - Parameter change: what has been proved besides.
    func renew(
        _ id: String, _ change: @escaping @Sendable (inout SessionRecord) -> Void = { _ in }
    ) throws -> SessionSecrets {
        let now = now
        let store = store
        let secrets = try NewSessionSecrets(random)
        return try store.write { transaction in
            guard var session = try Tables.sessions.get(id, in: transaction) else {
                throw AccountsError(.notFound, "no such session")
            }
            change(&session)
            try store.install(secrets, for: &session, at: now, in: transaction)
            try Tables.sessions.put(session, for: id, in: transaction)
            return secrets.handedOut(for: session, at: now)
        }
    }
}
