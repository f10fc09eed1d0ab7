import Core
import LMDB
import Testing

@testable import Accounts

extension TestAccounts {
    /// A person in a browser's session that begins now.
    func person(
        _ email: String = "ada@example.com", from client: Client = TestAccounts.client
    ) async throws -> Principal {
        try operations().principal(try await identity(email, from: client))
    }

    /// The same, as the front knows it.
    fileprivate func identity(_ email: String, from client: Client) async throws -> Identity? {
        let signedIn = try await operations().signIn(
            email, password: Self.secret(Self.password), as: .page(remember: false), from: client)
        let reader = try AccountReader(store: store)
        return reader.read(signedIn.secrets?.portal ?? "", .portalCookie, at: now).identity
    }

    fileprivate func mailed() throws -> [String] { try mails().map { "\($0.template) \($0.to)" }.sorted() }
}

/// Another e-mail address for an account.
@Suite struct EmailChangeTests {
    private func email(of principal: Principal, _ accounts: TestAccounts) throws -> String {
        try accounts.store.user(principal.userID).email
    }

    @Test func bothAddressesAreToldOfTheWishAndOfTheChange() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        try accounts.emptyOutbox()
        try await operations.changeEmail(of: principal, to: "New@Example.com", from: TestAccounts.client)
        #expect(
            try accounts.mailed() == ["confirm_new_email New@example.com", "email_change_requested ada@example.com"])
        #expect(try email(of: principal, accounts) == "ada@example.com")
        let token = try accounts.token("confirm_new_email")
        try accounts.emptyOutbox()
        #expect(try operations.accountWanting(token) == "ada@example.com")
        let user = try await operations.verifyEmail(token, from: TestAccounts.outsider)
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.accountWanting(token) }
        #expect(user.email == "New@example.com" && user.username == "ada@example.com" && user.emailVerified)
        #expect(try accounts.mailed() == ["email_changed New@example.com", "email_changed ada@example.com"])
        let event = try #require(try accounts.test.events(AuditFilter(type: "email_changed")).first)
        #expect(event.ipAddress == "203.0.113.7" && event.metadata["from"] == .string("ada@example.com"))
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalidToken)
        #expect(try accounts.store.check() == [])
    }

    /// A cookie that somebody found open must not be enough to take the account away.
    @Test func aSignInOfLongAgoIsNotEnough() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        try accounts.emptyOutbox()
        #expect(try operations.missingProof(of: principal) == nil)
        accounts.test.clock.advance(.seconds(601))
        #expect(try operations.missingProof(of: principal)?.code == .reauthenticationRequired)
        let stale = await refusal {
            try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        }
        #expect(stale == .reauthenticationRequired)
        #expect(
            try accounts.mails().isEmpty && accounts.test.events(AuditFilter(type: "email_change_requested")).isEmpty)
        _ = try await operations.reauthenticate(
            principal, password: TestAccounts.secret(TestAccounts.password), from: TestAccounts.client)
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        #expect(try accounts.mails().count == 2)
    }

    @Test func aRefreshMakesNobodyFresh() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: TestAccounts.secret(TestAccounts.password), as: .api,
            from: TestAccounts.client)
        accounts.test.clock.advance(.seconds(600))
        let tokens = try await operations.refresh(signedIn.tokens?.refreshToken ?? "", from: TestAccounts.client)
        let reader = try AccountReader(store: accounts.store)
        let identity = reader.read(tokens.accessToken, .bearer, at: accounts.now).identity
        let principal = try operations.principal(identity)
        #expect(
            await refusal {
                try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
            } == .reauthenticationRequired)
    }

    /// Lesson 34: whoever asks learns nothing about other accounts; neither do the mails to the one's own address.
    @Test func lesson34_anAddressThatIsTakenTellsNothing() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com", username: "bert")
        try accounts.addPerson("carl@example.com", username: "dora@example.com")
        _ = try accounts.store.addBlock(.email(try #require(EmailAddress("blocked@example.com"))), by: TestStore.cli)
        let operations = accounts.operations()
        let principal = try await accounts.person()
        var costs: [[UInt64]] = []
        var told: [String] = []
        for address in ["free@example.com", "BERT@example.com", "dora@example.com", "blocked@example.com"] {
            try accounts.emptyOutbox()
            let transaction = try accounts.lastTransaction
            let events = try accounts.test.events().count
            try await operations.changeEmail(of: principal, to: address, from: TestAccounts.client)
            costs.append([
                try accounts.lastTransaction - transaction, UInt64(try accounts.test.events().count - events),
                UInt64(try accounts.mails().count),
            ])
            told.append(try #require(try accounts.mailed().first { !$0.hasPrefix("email_change_requested") }))
        }
        #expect(costs.allSatisfy { $0 == [1, 1, 2] })
        #expect(
            told == [
                "confirm_new_email free@example.com", "already_registered BERT@example.com",
                "already_registered dora@example.com", "no_account blocked@example.com",
            ])
        // The newest wish counts, also when it comes to nothing.
        let links = try accounts.store.read { try Tables.oneTimeLinks.count(in: $0) }
        #expect(links == 0)
        let own = await refusal {
            try await operations.changeEmail(of: principal, to: "ADA@example.com", from: TestAccounts.client)
        }
        #expect(own == .invalid)
        for bad in ["", "ada", "a@b@c.example", "ada@example.com\0", String(repeating: "a", count: 5000) + "@x.org"] {
            #expect(
                await refusal {
                    try await operations.changeEmail(of: principal, to: bad, from: TestAccounts.client)
                } == .invalid)
        }
    }

    @Test(arguments: [
        "password", "reset", "operator", "disable", "everywhere", "others", "one", "cli", "sign-out", "own-sign-out",
        "reset-2fa",
    ])
    func aWishEndsWith(_ what: String) async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let identity = try #require(try await accounts.identity("ada@example.com", from: TestAccounts.outsider))
        let thief = try operations.principal(identity)
        let owner = try await accounts.person()
        let new = TestAccounts.secret("a quite different passphrase")
        try await operations.changeEmail(of: thief, to: "thief@example.com", from: TestAccounts.outsider)
        let token = try accounts.token("confirm_new_email")
        switch what {
        case "password":
            _ = try await operations.changePassword(
                of: owner, current: TestAccounts.secret(TestAccounts.password), to: new, from: TestAccounts.client)
        case "reset":
            try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
            try await operations.resetPassword(
                try accounts.token("password_reset"), to: new, from: TestAccounts.client)
        case "operator":
            try accounts.store.setPassword(of: owner.userID, hash: "$argon2id$x", by: TestStore.cli)
        case "disable":
            _ = try accounts.store.disableUser(owner.userID, by: TestStore.cli)
            _ = try accounts.store.enableUser(owner.userID, by: TestStore.cli)
        case "everywhere":
            try await operations.revokeSessions(of: owner, everywhere: true, from: TestAccounts.client)
        case "others": try await operations.revokeSessions(of: owner, from: TestAccounts.client)
        case "one": try await operations.revokeSession(thief.session, of: owner, from: TestAccounts.client)
        case "cli": _ = try accounts.store.revokeSession(thief.session, by: TestStore.cli)
        case "own-sign-out": try await operations.signOut(identity, from: TestAccounts.client)
        case "reset-2fa": _ = try accounts.store.resetFactors(of: owner.userID, printsLink: true, by: TestStore.cli)
        default: _ = try accounts.store.signOutUser(owner.userID, by: TestStore.cli)
        }
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.outsider) } == .invalidToken)
        #expect(try email(of: owner, accounts) == "ada@example.com")
        #expect(try accounts.store.check() == [])
    }

    /// It was mailed to the old address, but without it the owner cannot set up a new factor.
    @Test func theLinkOfAResetOutlivesAChange() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        _ = try accounts.store.resetFactors(of: "ada@example.com", printsLink: true, by: TestStore.cli)
        _ = try accounts.store.createLink(.unlock, for: "ada@example.com", by: TestStore.cli)
        let principal = try await accounts.person()
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        try await operations.verifyEmail(try accounts.token("confirm_new_email"), from: TestAccounts.client)
        var left: [LinkPurpose] = []
        try accounts.store.read { transaction in
            try Tables.oneTimeLinks.forEach(in: transaction) { _, link, _ in
                left.append(link.purpose)
                return true
            }
        }
        #expect(left == [.enrolFactor])
    }

    /// Who asks on one device and confirms on another has signed out nobody.
    @Test func oneselfMaySignOutBeforeTheMailArrives() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        let other = try await accounts.person()
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        try await operations.revokeSessions(of: principal, from: TestAccounts.client)
        #expect(try accounts.store.sessions().map(\.id) == [principal.session] && other.session != principal.session)
        let user = try await operations.verifyEmail(
            try accounts.token("confirm_new_email"), from: TestAccounts.client)
        #expect(user.email == "new@example.com")
    }

    @Test func ofTwoWishesForOneAddressTheFirstThatIsProvenWins() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations()
        var tokens: [String] = []
        for email in ["ada@example.com", "bert@example.com"] {
            let principal = try await accounts.person(email)
            try accounts.emptyOutbox()
            try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
            tokens.append(try accounts.token("confirm_new_email"))
        }
        let codes = await withTaskGroup(of: AccountsError.Code?.self) { group in
            for token in tokens + tokens {
                group.addTask {
                    await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 1)
        #expect(codes.allSatisfy { [nil, .exists, .invalidToken].contains($0) })
        #expect(try accounts.store.users().count { $0.email == "new@example.com" } == 1)
        #expect(try accounts.store.check() == [])
    }

    @Test func theNewerOfTwoWishesCounts() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        try await operations.changeEmail(of: principal, to: "one@example.com", from: TestAccounts.client)
        let first = try accounts.token("confirm_new_email")
        try accounts.emptyOutbox()
        try await operations.changeEmail(of: principal, to: "two@example.com", from: TestAccounts.client)
        #expect(
            await refusal { try await operations.verifyEmail(first, from: TestAccounts.client) } == .invalidToken)
        let user = try await operations.verifyEmail(
            try accounts.token("confirm_new_email"), from: TestAccounts.client)
        #expect(user.email == "two@example.com")
    }

    /// Whoever registers an address without reading its mail keeps it from nobody.
    @Test func aRegistrationThatWasNeverConfirmedGivesWay() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        try await operations.register(
            "new@example.com", password: TestAccounts.secret("a quite different passphrase"),
            from: TestAccounts.outsider)
        let squatting = try accounts.token("verify_email")
        let principal = try await accounts.person()
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        let user = try await operations.verifyEmail(
            try accounts.token("confirm_new_email"), from: TestAccounts.client)
        #expect(user.id == principal.userID)
        #expect(
            await refusal { try await operations.verifyEmail(squatting, from: TestAccounts.outsider) } == .invalidToken)
        #expect(try accounts.store.users().count == 1)
        #expect(try accounts.store.check() == [])
    }

    @Test func anAddressThatWasBlockedMeanwhileIsNotTaken() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        _ = try accounts.store.addBlock(.email(try #require(EmailAddress("new@example.com"))), by: TestStore.cli)
        let token = try accounts.token("confirm_new_email")
        #expect(
            await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .invalidToken)
        #expect(try email(of: principal, accounts) == "ada@example.com")
    }

    @Test func noticesThatAreOffAreNotMailed() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let principal = try await accounts.person()
        try accounts.emptyOutbox()
        accounts.store.setNotices(SecurityNotices([.apiKeyCreated]))
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        // What carries the link is no notice.
        #expect(try accounts.mailed() == ["confirm_new_email new@example.com"])
        let user = try await operations.verifyEmail(
            try accounts.token("confirm_new_email"), from: TestAccounts.client)
        _ = try accounts.test.addKey(user.id)
        try accounts.store.setPassword(of: user.id, hash: "$argon2id$x", by: TestStore.cli)
        #expect(
            try accounts.mailed() == ["api_key_created new@example.com", "confirm_new_email new@example.com"])
    }
}
