import Core
import LMDB
import Testing

@testable import Accounts

extension LogoutNotice {
    /// A token that is good for five minutes from `now`.
    static func test(
        issuer: String = "https://idp.example", subject: String? = nil, sessionID: String? = nil,
        token: String = "jti-1", at now: Timestamp
    ) -> LogoutNotice {
        LogoutNotice(
            provider: "corp", issuer: issuer, subject: subject, sessionID: sessionID, tokenID: token,
            goodUntil: now + .seconds(360))
    }
}

/// A provider's word that sessions are over: once a token, whoever repeats it.
@Suite struct ProviderLogoutTests {
    static let issuer = "https://idp.example"

    private func enter(_ scene: FederationScene, _ subject: String = "1") async throws -> Principal {
        let identity = FederatedIdentity(
            provider: "corp", issuer: Self.issuer, subject: subject, email: EmailAddress("\(subject)@example.com"),
            emailIsVerified: true)
        let signedIn = try await scene.operations.signIn(
            by: identity, FederationTerms(createsUsers: true, linksUnused: true), as: .page(remember: false),
            from: scene.client)
        return Principal(userID: signedIn.user.id, session: signedIn.session, usesCookie: true)
    }

    private func isOver(_ principal: Principal, _ scene: FederationScene) async -> Bool {
        await refusal { _ = try scene.operations.sessions(of: principal) } == .invalidToken
    }

    @Test func lesson44_aTokenIsCarriedOutOnce() async throws {
        let scene = try FederationScene()
        let first = try await enter(scene)
        let notice = LogoutNotice.test(subject: "1", at: scene.accounts.now)
        #expect(try await scene.operations.endSessions(notice, from: scene.client) == 1)
        #expect(await isOver(first, scene))
        // They have signed in again since, and somebody has kept the token.
        let again = try await enter(scene)
        #expect(try await scene.operations.endSessions(notice, from: scene.client) == nil)
        #expect(await isOver(again, scene) == false)
        // Another issuer's token of that name is another one, as is another name.
        for other in [
            LogoutNotice.test(issuer: "https://other.example", subject: "1", at: scene.accounts.now),
            .test(subject: "nobody", token: "jti-2", at: scene.accounts.now),
        ] {
            #expect(try await scene.operations.endSessions(other, from: scene.client) == 0)
        }
        #expect(await isOver(again, scene) == false)
    }

    @Test func aRestartForgetsNoToken() async throws {
        let scene = try FederationScene()
        _ = try await enter(scene)
        let notice = LogoutNotice.test(subject: "1", at: scene.accounts.now)
        try await scene.operations.endSessions(notice, from: scene.client)
        try scene.test.reopen()
        let operations = AccountOperations(
            store: scene.test.store, hasher: scene.accounts.hasher, limiter: scene.accounts.limiter)
        #expect(try await operations.endSessions(notice, from: scene.client) == nil)
    }

    @Test func ofTwoAtOnceOneIsCarriedOut() async throws {
        let scene = try FederationScene()
        let notice = LogoutNotice.test(subject: "1", at: scene.accounts.now)
        let done = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { try await scene.operations.endSessions(notice, from: scene.client) != nil }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(done == 1)
    }

    /// The sweeper takes what no provider's token could repeat any more.
    @Test func whatIsTooOldIsForgotten() async throws {
        let scene = try FederationScene()
        for index in 0..<3 {
            try await scene.operations.endSessions(
                .test(subject: "1", token: "\(index)", at: scene.accounts.now), from: scene.client)
            scene.test.clock.advance(.seconds(100))
        }
        func kept() throws -> Int { try scene.store.read { try Tables.logoutTokens.count(in: $0) } }
        // One of each, and one of whom they are about.
        #expect(try kept() == 4)
        scene.test.clock.advance(.seconds(100))
        while try scene.store.sweep() > 0 {}
        #expect(try kept() == 3)
        scene.test.clock.advance(Store.longestWay)
        while try scene.store.sweep() > 0 {}
        #expect(try kept() == 0)
        #expect(try scene.store.check() == [])
    }

    @Test func eachIsInTheAuditAndRefusalsOnlySoMany() async throws {
        let scene = try FederationScene { configuration in
            configuration.limits = LimitPolicy(signIn: RateLimit(count: 2, per: .seconds(60), burst: 3))
        }
        _ = try await enter(scene)
        try await scene.operations.endSessions(.test(subject: "1", at: scene.accounts.now), from: scene.client)
        let done = try #require(try scene.test.events().first)
        #expect(done.type == "provider_logout" && done.success && done.actor == "provider:corp")
        #expect(done.metadata["sessions_ended"] == .integer(1) && done.metadata["subject"] == .string("1"))
        func events() throws -> [AuditEvent] { try scene.test.events().filter { $0.type == "provider_logout" } }
        for index in 0..<10 {
            let code = await refusal {
                try await scene.operations.noteRefusedLogout("bad_logout_token", provider: "corp", from: scene.client)
            }
            #expect(code == (index < 3 ? nil : .rateLimited))
        }
        #expect(try events().count == 4)
        // From elsewhere it is answered, and no longer written down: many addresses fill no log.
        for index in 0..<10 {
            let client = Client(address: IPAddress("198.51.100.\(index)"))
            try await scene.operations.noteRefusedLogout("bad_logout_token", provider: "corp", from: client)
        }
        #expect(try events().count == 4)
        // What is good is not kept out by it.
        #expect(
            try await scene.operations.endSessions(
                .test(subject: "1", token: "2", at: scene.accounts.now), from: scene.client) == 0)
    }

    @Test func aFloodIsKeptOutByItsAddress() async throws {
        let scene = try FederationScene { $0.limits = LimitPolicy() }
        for _ in 0..<3000 { try scene.operations.admitProviderLogout(from: scene.client) }
        #expect(await refusal { try scene.operations.admitProviderLogout(from: scene.client) } == .rateLimited)
        try scene.operations.admitProviderLogout(from: TestAccounts.outsider)
    }

    /// A token that names the session alone says nothing of whose it is, and ends who is on their way all the same.
    @Test func whatWasProvedInAnEndedSessionIsWorthNothing() async throws {
        let scene = try FederationScene { $0.secondFactorIsRequired = true }
        let before = scene.accounts.now
        func identity(_ session: String, _ brought: Timestamp? = nil) -> FederatedIdentity {
            FederatedIdentity(
                provider: "corp", issuer: Self.issuer, subject: "1", email: EmailAddress("1@example.com"),
                emailIsVerified: true, sessionID: session, broughtAt: brought)
        }
        func enter(_ identity: FederatedIdentity) async -> AccountsError? {
            do throws(AccountsError) {
                _ = try await scene.operations.signIn(
                    by: identity, FederationTerms(createsUsers: true, linksUnused: true), as: .page(remember: false),
                    from: scene.client)
                return nil
            } catch {
                return error
            }
        }
        let half = try #require(await enter(identity("a"))?.partial)
        #expect(throws: Never.self) { _ = try scene.store.read { try scene.store.resume(half, at: before, in: $0) } }
        try await scene.operations.endSessions(.test(sessionID: "a", at: before), from: scene.client)
        #expect(throws: (any Error).self) {
            _ = try scene.store.read { try scene.store.resume(half, at: before, in: $0) }
        }
        #expect(await enter(identity("a", before))?.code == .invalidToken)
        #expect(try scene.test.events().first?.reason == "provider_ended")
        // Another session there is none of it, and in time the name is free.
        #expect(await enter(identity("b"))?.code == .twoFactorRequired)
        scene.test.clock.advance(Store.longestWay)
        #expect(await enter(identity("a"))?.code == .twoFactorRequired)
        while try scene.store.sweep() > 0 {}
        #expect(try scene.store.read { try Tables.logoutTokens.count(in: $0) } == 0)
    }

    /// Nobody has signed in by this identity yet, and a token that names the subject alone comes while they are about to.
    @Test(arguments: [nil, "s1"] as [String?])
    func whoIsNotLinkedYetIsRemembered(_ session: String?) async throws {
        let scene = try FederationScene()
        func enter(_ subject: String, at brought: Timestamp, issuer: String = Self.issuer) async -> AccountsError.Code?
        {
            let identity = FederatedIdentity(
                provider: "corp", issuer: issuer, subject: subject, email: EmailAddress("\(subject)@example.com"),
                emailIsVerified: true, sessionID: session, broughtAt: brought)
            return await refusal {
                _ = try await scene.operations.signIn(
                    by: identity, FederationTerms(createsUsers: true), as: .page(remember: false), from: scene.client)
            }
        }
        let brought = scene.accounts.now
        scene.test.clock.advance(.seconds(1))
        let notice = LogoutNotice.test(subject: "new", at: scene.accounts.now)
        #expect(try await scene.operations.endSessions(notice, from: scene.client) == 0)
        #expect(await enter("new", at: brought) == .invalidToken)
        let event = try #require(try scene.test.events().first)
        #expect(event.type == "sign_in" && !event.success && event.reason == "provider_ended")
        #expect(await refusal { _ = try scene.store.user("new@example.com") } == .notFound)
        // Nobody else is meant, and not what begins afterwards.
        #expect(await enter("other", at: brought) == nil)
        #expect(await enter("new", at: notice.goodUntil) == nil)
        // What was brought before stays worth nothing, linked or not.
        #expect(await enter("new", at: brought) == .invalidToken)
    }

    /// A logout token that comes while somebody is on their way to link, or to prove themselves once more.
    @Test(arguments: ["session", "subject"])
    func whatHasEndedOnTheWayLinksAndProvesNothing(_ what: String) async throws {
        let scene = try FederationScene()
        let mine = try await enter(scene, "owner")
        func identity(_ subject: String, at brought: Timestamp) -> FederatedIdentity {
            FederatedIdentity(
                provider: "corp", issuer: Self.issuer, subject: subject, email: nil, emailIsVerified: false,
                sessionID: "\(what) \(brought.milliseconds)", authenticatedAt: brought, broughtAt: brought)
        }
        func link(_ identity: FederatedIdentity) async -> AccountsError.Code? {
            await refusal {
                try await scene.operations.link(
                    identity, FederationTerms(linksUnused: true), to: mine, from: scene.client)
            }
        }
        func prove(_ identity: FederatedIdentity) async -> AccountsError.Code? {
            await refusal {
                _ = try await scene.operations.reauthenticate(mine, by: identity, from: scene.client)
            }
        }
        _ = try await scene.operations.reauthenticate(
            mine, by: identity("owner", at: scene.accounts.now), from: scene.client)
        if what == "subject" {
            // Linked already, so that there is somewhere to write it down.
            #expect(await link(identity("2", at: scene.accounts.now)) == nil)
        }
        scene.test.clock.advance(.seconds(1))
        let brought = identity("2", at: scene.accounts.now)
        scene.test.clock.advance(.seconds(1))
        let notice = LogoutNotice.test(
            subject: what == "subject" ? "2" : nil, sessionID: what == "session" ? brought.sessionID : nil,
            at: scene.accounts.now)
        try await scene.operations.endSessions(notice, from: scene.client)
        #expect(await link(brought) == .invalidToken)
        let event = try #require(try scene.test.events().first)
        #expect(event.type == "social_account_linked" && !event.success && event.reason == "provider_ended")
        scene.test.clock.advance(.seconds(1))
        // Whoever comes anew is taken, and what was brought before proves nothing even so.
        #expect(await link(identity("2", at: scene.accounts.now)) == nil)
        #expect(await prove(brought) == .invalidToken)
        #expect(try scene.test.events().first?.reason == "provider_ended")
        #expect(await prove(identity("2", at: scene.accounts.now)) == nil)
    }

    // MARK: What the operator ends

    @Test func aBlockedIdentityLosesWhatItHadBegun() async throws {
        let scene = try FederationScene()
        let mine = try await enter(scene)
        let other = try await enter(scene, "2")
        _ = try scene.test.store.addBlock(.subject(issuer: Self.issuer, subject: "1"), by: TestStore.cli)
        #expect(await isOver(mine, scene))
        #expect(await isOver(other, scene) == false)
        #expect(await refusal { _ = try await enter(scene) } == .userDisabled)
        // One that is nobody's here is blocked just so.
        _ = try scene.test.store.addBlock(.subject(issuer: Self.issuer, subject: "9"), by: TestStore.cli)
        #expect(await refusal { _ = try await enter(scene, "9") } == .userDisabled)
    }

    @Test func theOperatorListsAndRemovesLinks() async throws {
        let scene = try FederationScene()
        let mine = try await enter(scene)
        let other = try await enter(scene, "2")
        let link = try #require(try scene.store.socialAccounts(of: "1@example.com").first)
        #expect(link.subject == "1" && link.issuer == Self.issuer && link.provider == "corp")
        let others = try #require(try scene.store.socialAccounts(of: other.userID).first)
        #expect(
            await refusal { _ = try scene.store.unlink(others.id, of: mine.userID, by: TestStore.cli) } == .notFound)
        let removed = try scene.store.unlink(link.id, of: mine.userID, reason: "left", by: TestStore.cli)
        #expect(removed.sessions == [mine.session])
        #expect(await isOver(mine, scene))
        #expect(await isOver(other, scene) == false)
        let event = try #require(try scene.test.events().first { $0.type == "social_account_unlinked" })
        #expect(event.actor == "cli:root" && event.metadata["reason"] == .string("left"))
        #expect(try scene.accounts.mails().map(\.template).contains("social_account_unlinked"))
        // The account is not free for whoever comes next with its address.
        #expect(await refusal { _ = try await enter(scene) } == .exists)
        #expect(try scene.store.socialAccounts(of: mine.userID).isEmpty)
        #expect(await refusal { _ = try scene.store.socialAccounts(of: "nobody") } == .notFound)
    }

    /// Whoever comes in before the link is removed is put out with it, and whoever comes after does not come in.
    @Test func aLinkThatIsRemovedWhilePeopleComeInLeavesNobodyIn() async throws {
        let scene = try FederationScene()
        let first = try await enter(scene)
        let link = try #require(try scene.store.socialAccounts(of: first.userID).first)
        let entered = await withTaskGroup(of: Principal?.self) { group in
            for index in 0..<24 {
                group.addTask {
                    if index == 12 { _ = try? scene.store.unlink(link.id, of: first.userID, by: TestStore.cli) }
                    return try? await enter(scene)
                }
            }
            return await group.reduce(into: [Principal]()) { all, one in if let one { all.append(one) } }
        }
        #expect(try scene.store.socialAccounts(of: first.userID).isEmpty)
        for principal in entered + [first] { #expect(await isOver(principal, scene)) }
    }

    // MARK: Codes and counts

    @Test func codesAreInTheAudit() async throws {
        let scene = try FederationScene()
        let identity = FederatedIdentity(
            provider: "corp", issuer: Self.issuer, subject: "1", email: EmailAddress("1@example.com"),
            emailIsVerified: true)
        try await scene.operations.noteSignInCode(.issued, of: identity, from: scene.client)
        let first = try #require(try scene.test.events().first)
        #expect(first.type == "sign_in_code_issued" && first.user == nil && first.success)
        let mine = try await enter(scene)
        try await scene.operations.noteSignInCode(.redeemed, of: identity, from: scene.client)
        let second = try #require(try scene.test.events().first)
        #expect(second.type == "sign_in_code_redeemed" && second.userID == mine.userID && second.success)
        try await scene.operations.noteSignInCode(.refused("wrong_verifier"), of: identity, from: scene.client)
        let third = try #require(try scene.test.events().first)
        #expect(third.success == false && third.reason == "wrong_verifier")
    }

    @Test func signInsAreCountedByMethodOutcomeAndReason() async throws {
        let scene = try FederationScene()
        _ = try await enter(scene)
        _ = try await enter(scene)
        try await scene.operations.noteFederatedFailure("wrong_nonce", provider: "corp", from: scene.client)
        try await scene.operations.noteFederatedFailure("wrong_code", provider: nil, from: scene.client)
        try scene.accounts.addPerson("pat@example.com")
        _ = await refusal {
            _ = try await scene.operations.signIn(
                "pat@example.com", password: TestAccounts.secret("wrong"), as: .page(remember: false),
                from: scene.client)
        }
        func count(_ method: String, _ success: Bool, _ reason: String) -> UInt64 {
            scene.store.signInCounts
                .first { $0.labels == .init(method: method, success: success, reason: reason) }?.count ?? 0
        }
        #expect(count("oauth:corp", true, "") == 2)
        #expect(count("oauth:corp", false, "wrong_nonce") == 1)
        #expect(count("oauth", false, "wrong_code") == 1)
        #expect(count("password", false, "invalid_credentials") == 1)
        #expect(scene.store.signInCounts.count == 4)
    }

    // MARK: Beginning

    @Test func flowsThatBeginAreLimitedByAddress() async throws {
        let scene = try FederationScene { configuration in
            configuration.limits = LimitPolicy(signIn: RateLimit(count: 2, per: .seconds(60), burst: 3))
        }
        for _ in 0..<9 { try scene.operations.admitFederatedFlow(from: scene.client) }
        #expect(await refusal { try scene.operations.admitFederatedFlow(from: scene.client) } == .rateLimited)
        // Others, and what else is limited, have their own.
        try scene.operations.admitFederatedFlow(from: TestAccounts.outsider)
        try scene.operations.admitFederatedAnswer(from: scene.client)
        scene.test.clock.advance(.seconds(10))
        try scene.operations.admitFederatedFlow(from: scene.client)
    }
}
