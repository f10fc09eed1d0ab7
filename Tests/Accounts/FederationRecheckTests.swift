import Core
import LMDB
import Testing

@testable import Accounts

/// What a provider may take back, and what its word is not enough for.
@Suite struct FederationRecheckTests {
    static let issuer = "https://idp.example"
    static let terms = FederationTerms(createsUsers: true, addedGroups: ["visitors"], linksUnused: true)

    func identity(
        _ subject: String = "1", email: String = "ada@example.com", groups: [String] = ["staff"],
        at authenticatedAt: Timestamp? = nil, session: String? = nil, broughtAt: Timestamp? = nil
    ) -> FederatedIdentity {
        FederatedIdentity(
            provider: "corp", issuer: Self.issuer, subject: subject, email: EmailAddress(email), emailIsVerified: true,
            groups: groups, sessionID: session, authenticatedAt: authenticatedAt, broughtAt: broughtAt)
    }

    func enter(
        _ scene: FederationScene, _ identity: FederatedIdentity, _ terms: FederationTerms = terms
    ) async throws -> SignedIn {
        try await scene.operations.signIn(by: identity, terms, as: .page(remember: false), from: scene.client)
    }

    func principal(_ signedIn: SignedIn) -> Principal {
        Principal(userID: signedIn.user.id, session: signedIn.session, usesCookie: true)
    }

    // MARK: Addresses

    @Test func aProviderThatOwnsNoAddressTakesNoUnusedAccount() async throws {
        let scene = try FederationScene()
        try scene.test.addUser("ada@example.com", groups: ["admins"])
        let terms = FederationTerms(createsUsers: true, linksUnused: false)
        #expect(await refusal { _ = try await enter(scene, identity(), terms) } == .exists)
        let made = try await enter(scene, identity("2", email: "new@example.com"), terms)
        #expect(made.user.username == "new@example.com")
    }

    // MARK: Groups

    @Test func groupsAreThoseOfProvidersThatAreConfigured() async throws {
        let scene = try FederationScene()
        try scene.store.adopt(providers: [Self.issuer: ["visitors"]])
        let user = try await enter(scene, identity()).user
        #expect(user.groups == ["staff", "visitors"] && user.providerGroups == user.groups && user.ownGroups.isEmpty)
        // `groups.add` is what is written today, for those who are signed in too.
        try scene.store.adopt(providers: [Self.issuer: ["guests"], "https://other.example": ["others"]])
        #expect(try scene.store.user(user.id).groups == ["guests", "staff"])
        try scene.store.adopt(providers: ["https://other.example": ["others"]])
        #expect(try scene.store.user(user.id).groups.isEmpty)
        // An answer that was under way gives nothing either, and what was taken away does not come back by itself.
        #expect(try await enter(scene, identity()).user.groups.isEmpty)
        try scene.store.adopt(providers: [Self.issuer: ["visitors"]])
        #expect(try scene.store.user(user.id).groups.isEmpty)
        #expect(try await enter(scene, identity()).user.groups == ["staff", "visitors"])
    }

    /// A process that ended in the middle has not done it.
    @Test func whatWasLeftHalfDoneIsDoneAtTheNextStart() async throws {
        let scene = try FederationScene()
        try scene.store.adopt(providers: [Self.issuer: ["visitors"]])
        let user = try await enter(scene, identity()).user
        try scene.test.tamper { transaction in
            try Tables.meta.put(MetaRecord(text: "{}"), for: MetaRecord.providers, in: transaction)
            try Tables.meta.put(MetaRecord(), for: MetaRecord.providersPending, in: transaction)
        }
        try scene.store.adopt(providers: [:])
        #expect(try scene.store.user(user.id).groups.isEmpty)
    }

    @Test func whomAProviderDoesNotLetInAnyMoreLosesWhatItGave() async throws {
        let scene = try FederationScene()
        let entered = try await enter(scene, identity())
        _ = try scene.store.setPassword(of: entered.user.id, hash: "$argon2id$x", by: TestStore.cli)
        let again = try await enter(scene, identity(groups: ["staff", "leads"]))
        let other = try await enter(scene, identity("2", email: "b@example.com"))
        try await scene.operations.endRefused(
            at: "corp", issuer: Self.issuer, subject: "1", from: scene.client)
        #expect(try scene.store.user(again.user.id).groups.isEmpty)
        #expect(await refusal { _ = try scene.operations.sessions(of: principal(again)) } == .invalidToken)
        #expect(try scene.operations.user(principal(other)).groups == ["staff", "visitors"])
        let events = try scene.test.events().map(\.type)
        #expect(events.contains("user_groups_changed") && events.contains("sessions_revoked"))
        // Of somebody whom nobody knows nothing is written.
        try await scene.operations.endRefused(at: "corp", issuer: Self.issuer, subject: "9", from: scene.client)
        #expect(try scene.test.events().count == events.count)
    }

    @Test func theOperatorTakesAwayWhatAProviderGave() async throws {
        let scene = try FederationScene()
        let user = try await enter(scene, identity()).user
        let changed = try scene.store.setGroups(user.id, to: ["own"], by: TestStore.cli)
        #expect(changed.groups == ["own"] && changed.ownGroups == ["own"] && changed.providerGroups.isEmpty)
        let event = try #require(try scene.test.events().first)
        #expect(event.metadata["provider_groups_removed"] == .strings(["staff", "visitors"]))
    }

    // MARK: Proofs

    /// A single sign-on lets somebody through who proved themselves hours ago, or does not say when.
    @Test func aSignInIsAsRecentAsTheProviderSays() async throws {
        let scene = try FederationScene()
        let now = scene.accounts.now
        for (subject, time, kept) in [
            ("1", nil, nil), ("2", now - .seconds(3600), now - .seconds(3600)), ("3", now + .seconds(3600), now),
            ("4", now - .seconds(5), now - .seconds(5)),
        ] as [(String, Timestamp?, Timestamp?)] {
            let entered = try await enter(scene, identity(subject, email: "\(subject)@example.com", at: time))
            let mine = principal(entered)
            let session = try #require(try scene.operations.sessions(of: mine).first)
            #expect(session.authenticatedAt == kept)
            let isRecent = try scene.operations.missingProof(of: mine) == nil
            #expect(isRecent == ["3", "4"].contains(subject))
            // Who is asked anew has proved it, and who was not has not.
            let own = identity(subject, email: "\(subject)@example.com")
            #expect(
                await refusal { _ = try await scene.operations.reauthenticate(mine, by: own, from: scene.client) }
                    == .refused)
            var proved = own
            proved.authenticatedAt = now - .seconds(2)
            _ = try await scene.operations.reauthenticate(mine, by: proved, from: scene.client)
            #expect(try scene.operations.missingProof(of: mine) == nil)
        }
    }

    // MARK: Mails

    @Test func aLinkIsNeverSilent() async throws {
        let scene = try FederationScene { $0.providerIssuers = [Self.issuer, "https://other.example"] }
        func templates() throws -> [String] {
            try scene.accounts.mails().map(\.template).filter { $0.hasPrefix("social") }
        }
        let entered = try await enter(scene, identity(at: scene.accounts.now))
        #expect(try templates().isEmpty)
        scene.test.clock.advance(.seconds(1))
        var other = identity("2", at: scene.accounts.now)
        other.issuer = "https://other.example"
        try await scene.operations.link(other, Self.terms, to: principal(entered), from: scene.client)
        #expect(try templates() == ["social_account_linked"])
        let link = try #require(try scene.operations.socialAccounts(of: principal(entered)).first)
        try await scene.operations.unlink(link.id, of: principal(entered), from: scene.client)
        #expect(try templates().sorted() == ["social_account_linked", "social_account_unlinked"])
        // By a claim, and as the first way in.
        let claims = FederationTerms(claimedDomains: ["example.com"], linksUnused: true)
        _ = try await enter(scene, other, claims)
        try scene.test.addUser("first@example.com")
        _ = try await enter(scene, identity("3", email: "first@example.com"))
        #expect(try templates().filter { $0 == "social_account_linked" }.count == 3)
    }

    // MARK: Restores

    /// A link that was removed after the backup is removed again from the export, and named without one.
    @Test(arguments: [true, false])
    func aRestoreBringsNoRemovedLinkBackInSilence(_ hasExport: Bool) async throws {
        let scene = try FederationScene()
        let entered = try await enter(scene, identity(at: scene.accounts.now))
        _ = try scene.store.setPassword(of: entered.user.id, hash: "$argon2id$x", by: TestStore.cli)
        let mine = principal(try await enter(scene, identity(at: scene.accounts.now)))
        let test = scene.test
        let backup = test.folder + "/backup"
        _ = try test.store.backUp(to: backup, by: TestStore.cli)
        let link = try #require(try scene.operations.socialAccounts(of: mine).first)
        try await scene.operations.unlink(link.id, of: mine, from: scene.client)
        var lines: [String] = []
        try test.store.exportAudit { lines.append($0.jsonLine) }
        test.close()
        let (store, report) = try Store.restore(
            from: backup, into: TestStore.configuration(test.folder, masterKey: 7),
            auditExport: hasExport ? lines : nil, clock: test.clock, random: test.random, by: TestStore.cli)
        test.replace(store)
        let type = "social_account_unlinked"
        #expect(report.replayed.map(\.type) == (hasExport ? [type] : []))
        #expect(report.lostRevocations?.map(\.type) == (hasExport ? [] : [type]))
        let left = try store.read { try Tables.socialAccounts.count(in: $0) }
        #expect(left == (hasExport ? 0 : 1))
        #expect(try store.check() == [])
    }

    // MARK: Ends

    @Test func aLogoutEndsWhatMayBeMeant() async throws {
        let scene = try FederationScene()
        let named = try await enter(scene, identity(session: "here"))
        let unnamed = try await enter(scene, identity())
        let elsewhere = try await enter(scene, identity(session: "elsewhere"))
        let ended = try await scene.operations.endSessions(
            .test(subject: "1", sessionID: "here", at: scene.accounts.now), from: scene.client)
        #expect(ended == 2)
        for over in [named, unnamed] {
            #expect(await refusal { _ = try scene.operations.sessions(of: principal(over)) } == .invalidToken)
        }
        #expect(try scene.operations.sessions(of: principal(elsewhere)).count == 1)
    }

    @Test func whatWasUnderWayAtALogoutBecomesNoSession() async throws {
        let scene = try FederationScene { $0.secondFactorIsRequired = true }
        let before = scene.accounts.now
        var partial: PartialSignIn?
        do throws(AccountsError) {
            _ = try await scene.operations.signIn(
                by: identity(), Self.terms, as: .page(remember: false), from: scene.client)
        } catch {
            partial = error.partial
        }
        let half = try #require(partial)
        scene.test.clock.advance(.seconds(1))
        #expect(throws: Never.self) { _ = try scene.store.read { try scene.store.resume(half, at: before, in: $0) } }
        try await scene.operations.endSessions(
            .test(subject: "1", at: scene.accounts.now), from: scene.client)
        #expect(throws: (any Error).self) {
            _ = try scene.store.read { try scene.store.resume(half, at: before, in: $0) }
        }
        #expect(await refusal { _ = try await enter(scene, identity(broughtAt: before)) } == .invalidToken)
        scene.test.clock.advance(.seconds(1))
        #expect(
            await refusal { _ = try await enter(scene, identity(broughtAt: scene.accounts.now)) } == .twoFactorRequired)
    }
}
