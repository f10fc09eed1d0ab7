import Core
import LMDB
import Testing

@testable import Accounts

/// What people do with their own sessions.
@Suite struct OwnSessionsTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let wrong = TestAccounts.secret("another password entirely")

    private struct Person {
        let signedIn: SignedIn
        let identity: Identity
        let principal: Principal
    }

    private func signIn(
        _ accounts: TestAccounts, _ email: String = "ada@example.com", as face: SignInFace = .page(remember: false)
    ) async throws -> Person {
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(email, password: right, as: face, from: TestAccounts.client)
        let reader = try AccountReader(store: accounts.store)
        let reading =
            signedIn.secrets.map { reader.read($0.portal, .portalCookie, at: accounts.now) }
            ?? reader.read(signedIn.tokens?.accessToken ?? "", .bearer, at: accounts.now)
        let identity = try #require(reading.identity)
        return Person(signedIn: signedIn, identity: identity, principal: try operations.principal(identity))
    }

    @Test func onlyAPortalCookieOrATokenOfASignInIsAPrincipal() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let person = try await signIn(accounts)
        #expect(person.principal.usesCookie && person.principal.session == person.signedIn.session)
        #expect(try await !signIn(accounts, as: .api).principal.usesCookie)
        let reader = try AccountReader(store: accounts.store)
        let app = reader.read(person.signedIn.secrets?.app ?? "", .cookie, at: accounts.now).identity
        let key = try accounts.test.addKey()
        let keyIdentity = reader.read(key.secret, at: accounts.now).identity
        let issued = try accounts.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let issuedIdentity = reader.read(issued.accessToken, .bearer, at: accounts.now).identity
        for identity in [app, keyIdentity, issuedIdentity] {
            #expect(identity != nil)
            #expect(throws: AccountsError(.refused, "")) { try operations.principal(identity) }
        }
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.principal(nil) }
        _ = try accounts.store.revokeSession(person.signedIn.session, by: TestStore.cli)
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.principal(person.identity) }
    }

    @Test func listRevokeOneRevokeOthers() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations()
        var people: [Person] = []
        for _ in 0..<4 {
            accounts.test.clock.advance(.seconds(1))
            people.append(try await signIn(accounts))
        }
        let bert = try await signIn(accounts, "bert@example.com")
        let listed = try operations.sessions(of: people[3].principal)
        #expect(listed.map(\.id) == people.reversed().map(\.signedIn.session))
        #expect(listed.map(\.isCurrent) == [true, false, false, false])
        for isFirst in [true, false] {
            let hasEnded = try await operations.revokeSession(
                people[0].signedIn.session, of: people[3].principal, from: TestAccounts.client)
            #expect(hasEnded == isFirst)
        }
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.sessions(of: people[0].principal) }
        // Somebody else's is like one that does not exist.
        for id in [bert.signedIn.session, "ses_none", "", String(repeating: "x", count: 10_000)] {
            let code = await refusal {
                try await operations.revokeSession(id, of: people[3].principal, from: TestAccounts.client)
            }
            #expect(code == .notFound)
        }
        #expect(try await operations.revokeSessions(of: people[3].principal, from: TestAccounts.client) == 2)
        #expect(try operations.sessions(of: people[3].principal).map(\.id) == [people[3].signedIn.session])
        #expect(
            try await operations.revokeSessions(
                of: people[3].principal, everywhere: true, from: TestAccounts.client) == 1)
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.principal(people[3].identity) }
        #expect(try operations.sessions(of: bert.principal).count == 1)
    }

    @Test func lesson65_signOutEndsTheSessionWhereverItIsKnown() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let reader = try AccountReader(store: accounts.store)
        let person = try await signIn(accounts)
        let app = person.signedIn.secrets?.app ?? ""
        #expect(reader.read(app, .cookie, at: accounts.now).identity != nil)
        try await operations.signOut(person.identity, from: TestAccounts.client)
        try await operations.signOut(person.identity, from: TestAccounts.client)
        #expect(reader.read(app, .cookie, at: accounts.now).reason == .credentialRevoked)
        #expect(try accounts.test.events(AuditFilter(type: "sign_out")).count == 1)
        let client = try await signIn(accounts, as: .api)
        try await operations.signOut(client.identity, from: TestAccounts.client)
        let refreshToken = client.signedIn.tokens?.refreshToken ?? ""
        #expect(
            await refusal { _ = try await operations.refresh(refreshToken, from: TestAccounts.client) }
                == .invalidToken)
    }

    @Test func reauthenticationRaisesAndChangesTheSecrets() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let person = try await signIn(accounts)
        accounts.test.clock.advance(.seconds(3600))
        #expect(
            await refusal {
                _ = try await operations.reauthenticate(person.principal, password: wrong, from: TestAccounts.client)
            } == .invalidCredentials)
        let secrets = try #require(
            try await operations.reauthenticate(person.principal, password: right, from: TestAccounts.client))
        let reader = try AccountReader(store: accounts.store)
        let identity = try #require(reader.read(secrets.app, .cookie, at: accounts.now).identity)
        #expect(identity.authenticatedAt == accounts.now && identity.session == person.signedIn.session)
        let old = try #require(person.signedIn.secrets)
        #expect(reader.read(old.portal, .portalCookie, at: accounts.now).reason == .credentialUnknown)
        #expect(reader.read(old.app, .cookie, at: accounts.now).identity != nil)
        let client = try await signIn(accounts, as: .api)
        #expect(
            try await operations.reauthenticate(client.principal, password: right, from: TestAccounts.client) == nil)
    }

    @Test func aWrongPasswordInASessionCountsLikeOneAtTheDoor() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let person = try await signIn(accounts)
        for _ in 0..<5 {
            _ = await refusal {
                _ = try await operations.changePassword(
                    of: person.principal, current: wrong, to: right, from: TestAccounts.client)
            }
        }
        #expect(
            await refusal {
                _ = try await operations.reauthenticate(person.principal, password: right, from: TestAccounts.client)
            } == .accountLocked)
        #expect(
            await refusal {
                _ = try await operations.signIn(
                    "ada@example.com", password: right, as: .api, from: TestAccounts.client)
            } == .accountLocked)
    }

    @Test func lesson76_aChangedPasswordEndsTheOtherSessions() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.emptyOutbox()
        let operations = accounts.operations()
        let remembered = try await signIn(accounts, as: .page(remember: true))
        let client = try await signIn(accounts, as: .api)
        let person = try await signIn(accounts)
        try accounts.emptyOutbox()
        let new = TestAccounts.secret("a quite different passphrase")
        let short = await refusal {
            _ = try await operations.changePassword(
                of: person.principal, current: right, to: TestAccounts.secret("short"), from: TestAccounts.client)
        }
        #expect(short == .invalid)
        let secrets = try #require(
            try await operations.changePassword(
                of: person.principal, current: right, to: new, from: TestAccounts.client))
        #expect(try accounts.mails().map(\.template) == ["password_changed"])
        let reader = try AccountReader(store: accounts.store)
        #expect(reader.read(secrets.portal, .portalCookie, at: accounts.now).identity != nil)
        let other = remembered.signedIn.secrets?.app ?? ""
        #expect(reader.read(other, .cookie, at: accounts.now).reason == .credentialRevoked)
        let refreshToken = client.signedIn.tokens?.refreshToken ?? ""
        #expect(
            await refusal { _ = try await operations.refresh(refreshToken, from: TestAccounts.client) }
                == .invalidToken)
        #expect(
            await refusal {
                _ = try await operations.signIn(
                    "ada@example.com", password: right, as: .api, from: TestAccounts.client)
            } == .invalidCredentials)
        _ = try await operations.signIn("ada@example.com", password: new, as: .api, from: TestAccounts.client)
    }

    @Test func theOperatorSignsAUserOut() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let person = try await signIn(accounts)
        #expect(try accounts.store.signOutUser("ada@example.com", by: TestStore.cli) == [person.signedIn.session])
        #expect(throws: AccountsError(.invalidToken, "")) { try accounts.operations().principal(person.identity) }
        #expect(throws: AccountsError(.notFound, "")) { try accounts.store.signOutUser("nobody", by: TestStore.cli) }
    }
}
