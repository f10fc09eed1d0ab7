import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

/// Accounts with operations that take passwords and providers, and nothing else.
final class FederationScene: Sendable {
    let accounts: TestAccounts
    let operations: AccountOperations
    var test: TestStore { accounts.test }
    var store: Store { accounts.store }
    let client = TestAccounts.client

    init(_ change: (inout AccountOperations.Configuration) -> Void = { _ in }) throws {
        accounts = try TestAccounts()
        operations = accounts.operations { configuration in
            configuration.magicLinkIsEnabled = false
            configuration.providerIssuers = ["https://idp.example"]
            change(&configuration)
        }
    }
}

extension Timestamp {
    /// As late as can be, and so the moment of the sign-in.
    fileprivate static let now = Timestamp(seconds: 4_000_000_000)
}

/// Which account an identity of somebody else's signs in to. Addresses prove nothing here but what the operator has said
/// that they prove.
@Suite struct FederationTests {
    static let corp = FederationTerms(createsUsers: true, linksUnused: true)
    static let careful = FederationTerms(linksUnused: true)
    static let owner = FederationTerms(claimedDomains: ["example.com"], linksUnused: true)

    func identity(
        _ subject: String = "1", email: String? = "ada@example.com", verified: Bool = true,
        issuer: String = "https://idp.example", provider: String = "corp", groups: [String] = [],
        provedAt: Timestamp? = .now
    ) -> FederatedIdentity {
        FederatedIdentity(
            provider: provider, issuer: issuer, subject: subject, email: email.flatMap { EmailAddress($0) },
            emailIsVerified: verified, name: "Ada", groups: groups, authenticatedAt: provedAt)
    }

    func enter(
        _ scene: FederationScene, _ identity: FederatedIdentity, _ terms: FederationTerms = corp
    ) async throws -> SignedIn {
        try await scene.operations.signIn(by: identity, terms, as: .page(remember: false), from: scene.client)
    }

    func principal(_ signedIn: SignedIn) -> Principal {
        Principal(userID: signedIn.user.id, session: signedIn.session, usesCookie: true)
    }

    func lastEvent(_ scene: FederationScene) throws -> AuditEvent { try #require(try scene.test.events().first) }

    // MARK: New accounts

    @Test func aFirstSignInMakesAnAccountOnlyWhereItMay() async throws {
        let scene = try FederationScene()
        #expect(await refusal { _ = try await enter(scene, identity(), Self.careful) } == .refused)
        #expect(try lastEvent(scene).reason == "not_found")
        #expect(try scene.store.users().isEmpty)
        let made = try await enter(scene, identity())
        #expect(made.user.username == "ada@example.com" && made.user.emailVerified && made.user.groups.isEmpty)
        let again = try await enter(scene, identity(email: "other@example.com"), Self.careful)
        #expect(again.user.id == made.user.id && again.user.email == "ada@example.com")
    }

    @Test func anUnverifiedAddressLinksAndMakesNothing() async throws {
        let scene = try FederationScene()
        try scene.test.addUser("waiting@example.com")
        for email in ["ada@example.com", "waiting@example.com", nil] {
            let terms = FederationTerms(createsUsers: true, claimedDomains: ["example.com"], linksUnused: true)
            #expect(
                await refusal { _ = try await enter(scene, identity(email: email, verified: false), terms) }
                    == .emailNotVerified)
        }
        #expect(try scene.store.users().count == 1)
        #expect(try !scene.test.events().contains { $0.type == "social_account_linked" })
    }

    // MARK: Accounts that are there

    @Test func anOperatorsAccountThatNobodyHasUsedIsLinked() async throws {
        let scene = try FederationScene()
        let user = try scene.test.addUser("ada@example.com", groups: ["admins"])
        let entered = try await enter(scene, identity(), Self.careful)
        #expect(entered.user.id == user.id && entered.user.groups == ["admins"])
        // By the next identity with that address it is somebody's.
        #expect(await refusal { _ = try await enter(scene, identity("2")) } == .exists)
    }

    /// Whatever it was that somebody signed in with, and also once it is gone again.
    @Test(arguments: ["password", "key", "session", "magic link"])
    func anAccountThatHadACredentialMustBeProvedFirst(_ credential: String) async throws {
        let scene = try FederationScene()
        let user = try scene.test.addUser("ada@example.com")
        switch credential {
        case "password":
            try scene.store.setPassword(of: user.id, hash: "$argon2id$x", by: TestStore.cli)
        case "key": _ = try scene.test.addKey()
        case "session":
            let other = try await enter(scene, identity("9", issuer: "https://other.example"), Self.careful)
            try scene.test.tamper { transaction in
                try Tables.socialAccounts.removeAll(in: transaction)
                try Tables.socialAccountsByUser.removeAll(in: transaction)
                try Tables.sessionsByUser.removeAll(in: transaction)
            }
            #expect(other.user.id == user.id)
        default:
            try scene.test.tamper { transaction in
                var record = try #require(try Tables.users.get(user.id, in: transaction))
                record.awaitsCredential = nil
                try Tables.users.put(record, for: user.id, in: transaction)
            }
        }
        #expect(await refusal { _ = try await enter(scene, identity()) } == .exists)
        #expect(try lastEvent(scene).reason == "account_exists" && lastEvent(scene).userID == user.id)
        // A provider that owns the domain needs no further proof.
        #expect(try await enter(scene, identity(), Self.owner).user.id == user.id)
    }

    @Test func aClaimIsOfThatDomainAlone() async throws {
        let scene = try FederationScene()
        for email in ["ada@sub.example.com", "ada@notexample.com", "ada@example.com.evil.example"] {
            let user = try scene.test.addUser(email)
            try scene.store.setPassword(of: user.id, hash: "$argon2id$x", by: TestStore.cli)
            #expect(await refusal { _ = try await enter(scene, identity(email), Self.owner) } == .refused)
            #expect(
                await refusal { _ = try await enter(scene, identity("x" + email, email: email), Self.owner) } == .exists
            )
        }
    }

    // MARK: When it was proved

    /// A provider that knows the browser asks nobody anything.
    @Test func aSilentSignInIsNoRecentProof() async throws {
        let scene = try FederationScene()
        let now = scene.test.now
        func proved(_ time: Timestamp?) async throws -> (missing: AccountsError.Code?, at: Timestamp?) {
            let entered = try await enter(scene, identity(provedAt: time))
            let session = try #require(try scene.store.sessions().first { $0.id == entered.session })
            return (try scene.operations.missingProof(of: principal(entered))?.code, session.authenticatedAt)
        }
        #expect(try await proved(nil) == (.reauthenticationRequired, nil))
        #expect(try await proved(now - .seconds(86_400)) == (.reauthenticationRequired, now - .seconds(86_400)))
        #expect(try await proved(now - .seconds(30)) == (nil, now - .seconds(30)))
        // A clock that is ahead brings no more than now.
        #expect(try await proved(now + .seconds(86_400)) == (nil, now))
        // Nor does the token of an API client say more.
        let signedIn = try await scene.operations.signIn(
            by: identity(provedAt: now - .seconds(86_400)), Self.corp, as: .api, from: scene.client)
        let token = try #require(signedIn.tokens).accessToken
        let payload = String(
            decoding: try #require(Base64URL.decode(String(token.split(separator: ".")[1]))), as: UTF8.self)
        #expect(payload.contains("\"auth_time\":\((now - .seconds(86_400)).seconds)"))
    }

    // MARK: Attempts to take an account over

    /// Somebody registers the victim's address with a password of their own and waits for the victim to come by a
    /// provider.
    @Test func takeoverByAnAddressRegisteredBefore() async throws {
        let scene = try FederationScene { $0.registration = .open }
        try await scene.operations.register(
            "ada@example.com", password: TestAccounts.secret("the attacker's own words"), from: scene.client)
        #expect(await refusal { _ = try await enter(scene, identity(), Self.careful) } == .refused)
        let victim = try await enter(scene, identity())
        #expect(try scene.store.users().map(\.id) == [victim.user.id])
        #expect(
            await refusal {
                _ = try await scene.operations.signIn(
                    "ada@example.com", password: TestAccounts.secret("the attacker's own words"),
                    as: .page(remember: false), from: scene.client)
            } != nil)
        let token = try scene.accounts.token("verify_email")
        #expect(await refusal { try await scene.operations.verifyEmail(token, from: scene.client) } != nil)
        #expect(
            await refusal {
                _ = try await scene.operations.signIn(
                    "ada@example.com", password: TestAccounts.secret("the attacker's own words"),
                    as: .page(remember: false), from: scene.client)
            } != nil)
        #expect(try await enter(scene, identity()).user.id == victim.user.id)
    }

    /// At their own provider account somebody writes the victim's address.
    @Test func lesson26_takeoverByAnAddressChangedAtTheProvider() async throws {
        let scene = try FederationScene()
        let victim = try await enter(scene, identity("victim", email: "victim@example.com"))
        let attacker = try await enter(scene, identity("attacker", email: "attacker@example.com"))
        let changed = try await enter(scene, identity("attacker", email: "victim@example.com"))
        #expect(changed.user.id == attacker.user.id && changed.user.id != victim.user.id)
        #expect(changed.user.email == "attacker@example.com")
        #expect(await refusal { _ = try await enter(scene, identity("third", email: "victim@example.com")) } == .exists)
    }

    /// A second provider says that the same address is somebody else's.
    @Test func takeoverByAnotherProviderWithTheSameAddress() async throws {
        let scene = try FederationScene()
        let victim = try await enter(scene, identity())
        let other = identity(issuer: "https://other.example", provider: "other")
        #expect(await refusal { _ = try await enter(scene, other) } == .exists)
        #expect(try lastEvent(scene).userID == victim.user.id)
        // The same subject elsewhere is somebody else.
        let elsewhere = try await enter(
            scene, identity(email: "b@example.com", issuer: "https://other.example", provider: "other"))
        #expect(elsewhere.user.id != victim.user.id)
        // Issuer and subject are apart: nothing that is moved between them is the same.
        #expect(
            identity("c", issuer: "https://a.exampleb").key != identity("bc", issuer: "https://a.example").key)
    }

    /// Whoever has a session links the victim's identity to their own account, or their own to the victim's.
    @Test func takeoverByLinkingWhatIsLinked() async throws {
        let scene = try FederationScene()
        let victim = try await enter(scene, identity("victim", email: "victim@example.com"))
        let attacker = try await enter(
            scene, identity("attacker", email: "attacker@example.com", provedAt: scene.test.now))
        #expect(
            await refusal {
                try await scene.operations.link(
                    identity("victim", email: "victim@example.com"), Self.corp, to: principal(attacker),
                    from: scene.client)
            } == .exists)
        #expect(try await enter(scene, identity("victim")).user.id == victim.user.id)
        let links = try scene.operations.socialAccounts(of: principal(victim))
        #expect(
            await refusal {
                try await scene.operations.unlink(
                    try #require(links.first).id, of: principal(attacker), from: scene.client)
            } == .notFound)
    }

    /// A session that was left open changes nothing about how the account is signed in to.
    @Test func takeoverByASessionThatWasLeftOpen() async throws {
        let scene = try FederationScene()
        let entered = try await enter(scene, identity())
        scene.test.clock.advance(.seconds(901))
        let mine = principal(entered)
        #expect(try scene.operations.missingProof(of: mine) != nil)
        #expect(
            await refusal {
                try await scene.operations.link(
                    identity("2", issuer: "https://other.example"), Self.corp, to: mine, from: scene.client)
            } == .reauthenticationRequired)
        let link = try #require(try scene.operations.socialAccounts(of: mine).first)
        #expect(
            await refusal { try await scene.operations.unlink(link.id, of: mine, from: scene.client) }
                == .reauthenticationRequired)
        #expect(
            await refusal {
                _ = try await scene.operations.reauthenticate(mine, by: identity("2"), from: scene.client)
            } == .refused)
        // One that does not say when it has asked proves nothing.
        #expect(
            await refusal {
                _ = try await scene.operations.reauthenticate(mine, by: identity(provedAt: nil), from: scene.client)
            } == .refused)
        let secrets = try await scene.operations.reauthenticate(
            mine, by: identity(provedAt: scene.test.now), from: scene.client)
        #expect(secrets != nil)
        #expect(try scene.operations.missingProof(of: mine) == nil)
    }

    // MARK: Out

    @Test func lesson30_disabledAndBlockedStayOutByAnyProvider() async throws {
        let scene = try FederationScene()
        let user = try await enter(scene, identity()).user
        _ = try scene.store.disableUser(user.id, by: TestStore.cli)
        #expect(await refusal { _ = try await enter(scene, identity()) } == .userDisabled)
        // Another identity with that address makes no second account.
        #expect(await refusal { _ = try await enter(scene, identity("2")) } == .userDisabled)
        _ = try scene.store.enableUser(user.id, by: TestStore.cli)
        #expect(try await enter(scene, identity()).user.id == user.id)
        _ = try scene.store.addBlock(
            .subject(issuer: "https://idp.example", subject: "1"), by: TestStore.cli)
        #expect(await refusal { _ = try await enter(scene, identity()) } == .userDisabled)
        #expect(try lastEvent(scene).reason == "user_disabled")
        let email = try #require(EmailAddress("new@example.com"))
        _ = try scene.store.addBlock(.email(email), by: TestStore.cli)
        #expect(await refusal { _ = try await enter(scene, identity("3", email: "NEW@example.com")) } == .userDisabled)
    }

    @Test func aServiceAccountIsNobodysIdentity() async throws {
        let scene = try FederationScene()
        try scene.test.addUser("robot@example.com", service: true)
        let terms = FederationTerms(createsUsers: true, claimedDomains: ["example.com"], linksUnused: true)
        #expect(await refusal { _ = try await enter(scene, identity(email: "robot@example.com"), terms) } == .refused)
    }

    @Test func aDeletedAccountTakesItsLinksAlong() async throws {
        let scene = try FederationScene()
        let user = try await enter(scene, identity()).user
        _ = try scene.store.deleteUser(user.id, by: TestStore.cli)
        #expect(await refusal { _ = try await enter(scene, identity(), Self.careful) } == .refused)
        // The name is never given again, so neither is the account.
        #expect(await refusal { _ = try await enter(scene, identity()) } == .refused)
        #expect(try scene.store.check().isEmpty)
    }

    @Test func lesson27_linksAreRemovedAndProvedAnewNeverMoved() async throws {
        let scene = try FederationScene { $0.providerIssuers = ["https://idp.example", "https://other.example"] }
        let first = try await enter(scene, identity(provedAt: scene.test.now))
        let mine = principal(first)
        let other = identity("2", issuer: "https://other.example", provider: "other", groups: ["other:x"])
        try await scene.operations.link(other, Self.corp, to: mine, from: scene.client)
        #expect(try scene.operations.user(mine).groups == ["other:x"])
        let bySecond = try await enter(scene, other)
        let links = try scene.operations.socialAccounts(of: mine)
        #expect(links.map(\.provider).sorted() == ["corp", "other"])
        let link = try #require(links.first { $0.provider == "other" })
        try await scene.operations.unlink(link.id, of: mine, from: scene.client)
        // What it gave is gone with it: its groups, its sessions.
        #expect(try scene.operations.user(mine).groups.isEmpty)
        #expect(try scene.operations.sessions(of: mine).map(\.id) == [first.session])
        #expect(await refusal { _ = try scene.operations.sessions(of: principal(bySecond)) } == .invalidToken)
        let last = try #require(try scene.operations.socialAccounts(of: mine).first)
        #expect(await refusal { try await scene.operations.unlink(last.id, of: mine, from: scene.client) } == .refused)
        // It is nobody's now, and its address belongs to an account that has to be proved.
        #expect(await refusal { _ = try await enter(scene, other) } == .exists)
    }

    /// A wish for another address ends with the session that it came from, whoever ends that.
    @Test(arguments: ["subject", "session", "unlink"])
    func aWishForAnAddressEndsWithItsSession(_ how: String) async throws {
        let scene = try FederationScene { $0.providerIssuers = ["https://idp.example", "https://other.example"] }
        let owner = principal(try await enter(scene, identity()))
        let issuer = "https://other.example"
        let other = FederatedIdentity(
            provider: "other", issuer: issuer, subject: "2", email: nil, emailIsVerified: false, sessionID: "sid",
            authenticatedAt: .now)
        try await scene.operations.link(other, Self.corp, to: owner, from: scene.client)
        let thief = principal(try await enter(scene, other))
        try await scene.operations.changeEmail(of: thief, to: "thief@example.com", from: scene.client)
        let token = try scene.accounts.token("confirm_new_email")
        switch how {
        case "unlink":
            let links = try scene.operations.socialAccounts(of: owner)
            let link = try #require(links.first { $0.provider == "other" })
            try await scene.operations.unlink(link.id, of: owner, from: scene.client)
        default:
            let ended = try await scene.operations.endSessions(
                .test(
                    issuer: issuer, subject: how == "subject" ? "2" : nil, sessionID: "sid", at: scene.accounts.now),
                from: scene.client)
            #expect(ended == 1)
        }
        #expect(
            await refusal { _ = try await scene.operations.verifyEmail(token, from: scene.client) } == .invalidToken)
        #expect(try scene.store.user(owner.userID).email == "ada@example.com")
    }

    @Test func groupsOfOursAreNeverAProvidersToGive() async throws {
        let scene = try FederationScene()
        let terms = FederationTerms(
            createsUsers: true, addedGroups: ["visitors", "gatehouse-admins"], linksUnused: true)
        let entered = try await enter(
            scene, identity(groups: ["staff", "Gatehouse-Admins", "a b", "", "staff"]), terms)
        #expect(entered.user.groups == ["staff", "visitors"])
    }
}
