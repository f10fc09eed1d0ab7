import Core
import LMDB
import Testing

@testable import Accounts

/// Accounts that people ask for themselves: whose they become, and what nobody learns by asking.
@Suite struct RegistrationTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let new = TestAccounts.secret("a quite different passphrase")

    private func signingIn(
        _ operations: AccountOperations, _ email: String, _ password: SecretBytes,
        from client: Client = TestAccounts.client
    ) async -> AccountsError.Code? {
        await refusal { _ = try await operations.signIn(email, password: password, as: .api, from: client) }
    }

    @Test func registerVerifySignIn() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try await operations.register("Ada@Example.com", password: right, name: "Ada", from: TestAccounts.client)
        #expect(try accounts.store.users().isEmpty, "there is no account before the mail was followed")
        #expect(await signingIn(operations, "ada@example.com", new) == .invalidCredentials)
        #expect(await signingIn(operations, "ada@example.com", right) == .emailNotVerified)
        let token = try accounts.token("verify_email")
        #expect(
            try operations.registration(at: token)
                == PendingRegistration(email: "Ada@example.com", name: "Ada", returnTo: nil))
        let user = try await operations.verifyEmail(token, from: TestAccounts.client)
        #expect(user.emailVerified && user.name == "Ada" && user.username == "Ada@example.com" && user.groups == [])
        #expect(await signingIn(operations, "ada@example.com", right) == nil)
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalidToken)
        #expect(throws: AccountsError(.invalidToken, "")) {
            try operations.look(at: token, for: [.verifyEmail, .changeEmail])
        }
        #expect(try accounts.store.check() == [])
    }

    @Test func aRegistrationIsClosedOrForTheInvited() async throws {
        let accounts = try TestAccounts()
        let closed = accounts.operations { $0.registration = .closed }
        #expect(
            await refusal { try await closed.register("a@example.com", password: right, from: TestAccounts.client) }
                == .refused)
        let invited = accounts.operations { $0.registration = .invited }
        try await invited.register("a@example.com", password: right, from: TestAccounts.client)
        #expect(try accounts.store.users().isEmpty)
        #expect(try accounts.mails().map(\.template) == ["no_account"])
    }

    @Test func aLinkIsVoidOnceRegistrationIsNotOpenAnyMore() async throws {
        let accounts = try TestAccounts()
        try await accounts.operations().register("a@example.com", password: right, from: TestAccounts.client)
        let token = try accounts.token("verify_email")
        for kind in [AccountOperations.Configuration.Registration.closed, .invited] {
            let operations = accounts.operations { $0.registration = kind }
            #expect(
                await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalidToken)
        }
        _ = try accounts.store.addBlock(.email(try #require(EmailAddress("a@example.com"))), by: TestStore.cli)
        #expect(
            await refusal { try await accounts.operations().verifyEmail(token, from: TestAccounts.client) }
                == .invalidToken)
        #expect(try accounts.store.users().isEmpty)
    }

    /// X1: who registers somebody else's address has no password there, whatever that somebody does then.
    @Test func aStrangersPasswordNeverComesToAnInvitedAccount() async throws {
        for kind in [AccountOperations.Configuration.Registration.open, .invited] {
            let accounts = try TestAccounts()
            let operations = accounts.operations { $0.registration = kind }
            let user = try accounts.test.addUser("ada@example.com")
            let invitation = try accounts.store.createLink(.invitation, for: user.id, by: TestStore.cli)
            try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
            #expect(try accounts.mails().map(\.template) == ["invitation"])
            let stored = try accounts.store.read { try Tables.passwords.count(in: $0) }
            #expect(stored == 0)
            // The operator's own link is still good, and so is the one that was mailed.
            let own = String(try #require(invitation.url.split(separator: "/").last))
            #expect(try operations.look(at: own, for: [.invitation]) == .invitation)
            let mailed = try accounts.token("invitation")
            #expect(
                await refusal { try await operations.verifyEmail(mailed, from: TestAccounts.client) } == .invalidToken)
            try await operations.resetPassword(mailed, to: new, from: TestAccounts.client)
            #expect(await signingIn(operations, "ada@example.com", new) == nil)
            #expect(await signingIn(operations, "ada@example.com", right) != nil)
            #expect(
                await refusal { try await operations.resetPassword(own, to: right, from: TestAccounts.outsider) }
                    == .invalidToken)
            #expect(try accounts.store.sessions().count == 1)
        }
    }

    @Test func anInvitationLivesNoLongerForBeingAskedForAgain() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.registration = .invited }
        let user = try accounts.test.addUser("ada@example.com")
        _ = try accounts.store.createLink(.invitation, for: user.id, by: TestStore.cli)
        for _ in 0..<20 {
            accounts.test.clock.advance(.seconds(12 * 3600))
            try await operations.register("ada@example.com", password: nil, from: TestAccounts.outsider)
        }
        #expect(try accounts.mails().filter { $0.template == "invitation" }.count == 13)
        #expect(try accounts.mails().last?.template == "already_registered")
        let token = try accounts.token("invitation")
        #expect(
            await refusal { try await operations.resetPassword(token, to: new, from: TestAccounts.client) }
                == .invalidToken)
    }

    /// Whoever holds the mailbox chooses: on the page always, whatever was registered with.
    @Test func whoFollowsTheMailChoosesThePassword() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try await operations.register("ada@example.com", password: right, name: "Mallory", from: TestAccounts.outsider)
        let token = try accounts.token("verify_email")
        let short = TestAccounts.secret("short")
        #expect(
            await refusal {
                try await operations.verifyEmail(token, password: short, name: "Ada", from: TestAccounts.client)
            } == .invalid)
        let user = try await operations.verifyEmail(token, password: new, name: "Ada", from: TestAccounts.client)
        #expect(user.name == "Ada")
        #expect(await signingIn(operations, "ada@example.com", new) == nil)
        #expect(await signingIn(operations, "ada@example.com", right) == .emailNotVerified, "as before")
    }

    @Test func aRegistrationWithoutAPasswordWantsOneAtTheEnd() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try await operations.register("ada@example.com", password: nil, from: TestAccounts.client)
        #expect(await signingIn(operations, "ada@example.com", TestAccounts.secret("")) == .invalidCredentials)
        let token = try accounts.token("verify_email")
        #expect(await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalid)
        try await operations.verifyEmail(token, password: new, from: TestAccounts.client)
        #expect(await signingIn(operations, "ada@example.com", new) == nil)
        // Where there are no passwords, none is kept.
        let without = accounts.operations { $0.passwordIsEnabled = false }
        accounts.test.clock.advance(.seconds(1))
        try await without.register("bert@example.com", password: right, from: TestAccounts.client)
        try await without.verifyEmail(try accounts.token("verify_email"), from: TestAccounts.client)
        #expect(await signingIn(operations, "bert@example.com", right) == .invalidCredentials)
    }

    /// X2: the first mail that is followed ends the others and what was chosen with them; they rest until their time is
    /// over, since it would tell that there is an account if they went.
    @Test func ofTwoRegistrationsTheProofOfOneEndsTheOther() async throws {
        for first in [true, false] {
            let accounts = try TestAccounts()
            let operations = accounts.operations()
            try await operations.register(
                "ada@example.com", password: right, name: "Mallory", from: TestAccounts.outsider)
            accounts.test.clock.advance(.seconds(1))
            try await operations.register("ADA@example.com", password: new, name: "Ada", from: TestAccounts.client)
            let tokens = try accounts.mails().map { String(try #require($0.link?.split(separator: "/").last)) }
            let (used, other) = first ? (tokens[0], tokens[1]) : (tokens[1], tokens[0])
            let user = try await operations.verifyEmail(used, from: TestAccounts.client)
            #expect(user.name == (first ? "Mallory" : "Ada"))
            #expect(
                await refusal { try await operations.verifyEmail(other, from: TestAccounts.outsider) } == .invalidToken)
            #expect(
                await refusal {
                    try await operations.verifyEmail(other, password: right, from: TestAccounts.outsider)
                } == .invalidToken)
            #expect(await signingIn(operations, "ada@example.com", first ? right : new) == nil)
            #expect(
                await signingIn(operations, "ada@example.com", first ? new : right)
                    == (first ? .emailNotVerified : .invalidCredentials))
            #expect(try accounts.store.users().count == 1)
            _ = try accounts.store.deleteUser("ada@example.com", by: TestStore.cli)
            for token in tokens {
                #expect(
                    await refusal { try await operations.verifyEmail(token, from: TestAccounts.outsider) }
                        == .invalidToken)
            }
            accounts.test.clock.advance(.seconds(86_400))
            while try accounts.store.sweep() > 0 {}
            let left = try accounts.store.read {
                (try Tables.oneTimeLinks.count(in: $0), try Tables.linksByUser.count(in: $0))
            }
            #expect(left == (0, 0))
        }
    }

    @Test func ofManyProofsAtOneInstantExactlyOneWins() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        for index in 0..<4 {
            accounts.test.clock.advance(.seconds(1))
            try await operations.register(
                "ada@example.com", password: TestAccounts.secret("one of several passwords \(index)"),
                from: TestAccounts.client)
        }
        let tokens = try accounts.mails().map { String(try #require($0.link?.split(separator: "/").last)) }
        let won = await withTaskGroup(of: Bool.self) { group in
            for token in tokens + tokens {
                group.addTask {
                    await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(won == 1)
        #expect(try accounts.store.users().count == 1)
        #expect(try accounts.store.check() == [])
    }

    @Test func anAccountThatTheOperatorMadeMeanwhileIsNotGivenAway() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
        let token = try accounts.token("verify_email")
        try accounts.addPerson("ada@example.com", password: "a quite different passphrase")
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.outsider) } == .invalidToken)
        #expect(await signingIn(operations, "ada@example.com", right) == .emailNotVerified, "as before")
        // Nor a name that somebody had.
        accounts.test.clock.advance(.seconds(1))
        try await operations.register("eve@example.com", password: right, from: TestAccounts.outsider)
        let other = try accounts.token("verify_email")
        try accounts.test.addUser("bert@example.com", username: "eve@example.com")
        #expect(
            await refusal { try await operations.verifyEmail(other, from: TestAccounts.outsider) } == .invalidToken)
        #expect(try accounts.store.users().count == 2)
    }

    /// X4, lesson 34: registering an address and signing in there is the same for every address: answers, hash runs,
    /// transactions, events, mails, rows.
    @Test func lesson34_registeringAndSigningInNeverTellsWhoHasAnAccount() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson(password: "the password of ada herself")
        try accounts.addPerson("off@example.com", password: "the password of somebody else")
        _ = try accounts.store.disableUser("off@example.com", by: TestStore.cli)
        try accounts.test.addUser("bot@example.com", service: true)
        try accounts.test.addUser("bert@example.com", username: "name@example.com")
        let operations = accounts.operations { $0.lockout = LockoutPolicy(failures: 3, period: .seconds(1800)) }
        var seen: [[String]] = []
        for email in [
            "free@example.com", "ada@example.com", "off@example.com", "bot@example.com", "name@example.com",
        ] {
            var steps: [String] = []
            func step(_ body: () async throws -> Void) async throws {
                let before = try figures(accounts)
                let code = await refusal(body)
                let after = try figures(accounts)
                steps.append("\(code.map { "\($0)" } ?? "done") \(zip(before, after).map { $1 - $0 })")
            }
            try await step { try await operations.register(email, password: right, from: TestAccounts.outsider) }
            for password in [right, new, right, right, right] {
                try await step {
                    _ = try await operations.signIn(email, password: password, as: .api, from: TestAccounts.outsider)
                }
            }
            seen.append(steps)
        }
        for steps in seen { #expect(steps == seen[0]) }
        #expect(seen[0][1].hasPrefix("emailNotVerified") && seen[0][2].hasPrefix("invalidCredentials"))
        #expect(seen[0][4].hasPrefix("accountLocked"))
    }

    /// Hash runs, transactions, events, links; mails without the one that tells the owner of a lock.
    private func figures(_ accounts: TestAccounts) throws -> [Int] {
        [
            Int(accounts.hasher.runs), Int(try accounts.lastTransaction),
            try accounts.test.events(AuditFilter(type: "sign_in")).count,
            try accounts.test.events(AuditFilter(type: "user_registered")).count,
            try accounts.store.read { try Tables.linksByUser.count(in: $0) }
                - accounts.mails().filter { $0.template == "account_locked" }.count,
            try accounts.mails().filter { $0.template != "account_locked" }.count,
        ]
    }

    /// What a registrant is told must not be a way to try passwords of the account.
    @Test func aRegistrantsSignInsCountAsFailures() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson(password: "the password of ada herself")
        let operations = accounts.operations()
        for _ in 0..<5 {
            try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
            #expect(
                await signingIn(operations, "ada@example.com", right, from: TestAccounts.outsider) == .emailNotVerified)
        }
        #expect(
            await signingIn(operations, "ada@example.com", right, from: TestAccounts.outsider) == .accountLocked)
        // Of an address that was free they go on to count after its proof; a new password lifts the lock.
        try await operations.register("free@example.com", password: right, from: TestAccounts.client)
        for _ in 0..<5 { _ = await signingIn(operations, "free@example.com", right) }
        #expect(await signingIn(operations, "free@example.com", right) == .accountLocked)
        try await operations.verifyEmail(try accounts.token("verify_email"), from: TestAccounts.client)
        #expect(await signingIn(operations, "free@example.com", right) == .accountLocked)
        try await operations.forgotPassword("free@example.com", from: TestAccounts.client)
        try await operations.resetPassword(try accounts.token("password_reset"), to: new, from: TestAccounts.client)
        #expect(await signingIn(operations, "free@example.com", new) == nil)
    }

    @Test func lesson31_aRegistrationEndsByItselfAndFewAreKept() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        for index in 0..<80 {
            accounts.test.clock.advance(.seconds(1))
            try await operations.register(
                "ada@example.com", password: TestAccounts.secret("one of several passwords \(index)"),
                from: TestAccounts.outsider)
        }
        let kept = try accounts.store.read { try Tables.oneTimeLinks.count(in: $0) }
        #expect(kept == 64)
        let token = try accounts.token("verify_email")
        accounts.test.clock.advance(.seconds(86_400))
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalidToken)
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.registration(at: token) }
        #expect(
            await signingIn(operations, "ada@example.com", TestAccounts.secret("one of several passwords 79"))
                == .invalidCredentials)
        while try accounts.store.sweep() > 0 {}
        let left = try accounts.store.read {
            (try Tables.oneTimeLinks.count(in: $0), try Tables.linksByUser.count(in: $0))
        }
        #expect(left == (0, 0))
    }

    @Test func whatIsNoRegistration() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let emails = [
            "", "a", "a@b@example.com", "a@example.com\0", "ä@example.com", String(repeating: "a", count: 1 << 20),
        ]
        for email in emails {
            #expect(
                await refusal { try await operations.register(email, password: right, from: TestAccounts.client) }
                    == .invalid)
        }
        for name in ["a\0b", "a\nb", String(repeating: "x", count: 1 << 20)] {
            #expect(
                await refusal {
                    try await operations.register(
                        "a@example.com", password: right, name: name, from: TestAccounts.client)
                } == .invalid)
        }
        for password in [
            "", "short", "a@example.com", "a long one with \0 in it", String(repeating: "x", count: 1 << 20),
        ] {
            let code = await refusal {
                try await operations.register(
                    "a@example.com", password: TestAccounts.secret(password), from: TestAccounts.client)
            }
            #expect(code == .invalid)
        }
        #expect(try accounts.mails().isEmpty)
    }
}
