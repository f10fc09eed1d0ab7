import Core
import LMDB
import Testing

@testable import Accounts

/// Registration, magic links, reset and change of address.
@Suite struct LinkTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let new = TestAccounts.secret("a quite different passphrase")

    private func canSignIn(
        _ operations: AccountOperations, _ email: String, _ password: SecretBytes
    ) async -> AccountsError.Code? {
        await refusal {
            _ = try await operations.signIn(email, password: password, as: .api, from: TestAccounts.client)
        }
    }

    /// Lesson 34: the same hash runs, transactions, events and mails, whether there is such an account or not.
    @Test func lesson34_registrationResetAndMagicLinkNeverTell() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("off@example.com")
        _ = try accounts.store.disableUser("off@example.com", by: TestStore.cli)
        try accounts.test.addUser("bot@example.com", service: true)
        let operations = accounts.operations()
        let emails = ["ada@example.com", "nobody@example.com", "off@example.com", "bot@example.com"]
        let forms: [@Sendable (String) async throws -> Void] = [
            { try await operations.requestMagicLink($0, browser: nil, from: TestAccounts.client) },
            { try await operations.forgotPassword($0, from: TestAccounts.client) },
            { [right] in try await operations.register($0, password: right, from: TestAccounts.client) },
        ]
        for form in forms {
            var costs: [[UInt64]] = []
            for email in emails {
                let runs = accounts.hasher.runs
                let transaction = try accounts.lastTransaction
                let events = try accounts.test.events().count
                let mails = try accounts.mails().count
                try await form(email)
                costs.append([
                    accounts.hasher.runs - runs, try accounts.lastTransaction - transaction,
                    UInt64(try accounts.test.events().count - events), UInt64(try accounts.mails().count - mails),
                ])
            }
            for cost in costs { #expect(cost == costs[0]) }
            #expect(costs[0][1] == 1 && costs[0][3] == 1)
        }
    }

    /// The answer tells nobody; the log tells the operator.
    @Test func theLogSaysWhyNoLinkWasMailed() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson("off@example.com")
        _ = try accounts.store.disableUser("off@example.com", by: TestStore.cli)
        try accounts.test.addUser("bot@example.com", service: true)
        let operations = accounts.operations()
        for (email, reason) in [("off", "user_disabled"), ("bot", "not_found"), ("nobody", "not_found")] {
            try await operations.forgotPassword(email + "@example.com", from: TestAccounts.client)
            let event = try #require(
                try accounts.test.events(AuditFilter(type: "password_reset_requested")).first)
            #expect(event.reason == reason && !event.success && event.user == email + "@example.com")
        }
    }

    /// A stranger who asks for as many links as the limits allow does not make those void that their owner was mailed,
    /// whatever the limits are; there are only so many.
    @Test func severalLinksAreGoodAtATime() async throws {
        for burst in [5, 20, 1_000_000] {
            let accounts = try TestAccounts()
            try accounts.addPerson()
            let operations = accounts.operations {
                $0.limits.limits[.mail] = RateLimit(count: burst, per: .seconds(3600), burst: burst)
                $0.limits.exemptNetworks = [Network("0.0.0.0/0")].compactMap { $0 }
            }
            var owner = TestAccounts.client
            owner.deviceToken = try await operations.signIn(
                "ada@example.com", password: right, as: .page(remember: false), from: owner
            ).deviceToken
            try accounts.emptyOutbox()
            try await operations.requestMagicLink("ada@example.com", browser: "tab", from: owner)
            let mine = try accounts.token("magic_link")
            var asked = 0
            for _ in 0..<85 {
                accounts.test.clock.advance(.seconds(10))
                let code = await refusal {
                    try await operations.requestMagicLink(
                        "ada@example.com", browser: "other", from: TestAccounts.outsider)
                }
                if code == nil { asked += 1 }
            }
            let left = try accounts.store.read { try Tables.linksByUser.count(in: $0) }
            #expect(left == min(64, asked + 1))
            if asked < 64 {
                #expect(asked >= burst && asked < 2 * burst)
                #expect(try operations.look(at: mine, for: [.magicLink]) == .magicLink)
            } else {
                #expect(throws: AccountsError(.invalidToken, "")) { try operations.look(at: mine, for: [.magicLink]) }
            }
        }
    }

    @Test func aMagicLinkSignsInOnceInTheBrowserThatAsked() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        try await operations.requestMagicLink("ADA@example.com", browser: "nonce", from: TestAccounts.client)
        let token = try accounts.token("magic_link")
        #expect(try operations.look(at: token, for: [.magicLink]) == .magicLink)
        for browser in [nil, "other", ""] {
            let code = await refusal {
                _ = try await operations.signIn(
                    magicLink: token, browser: browser, as: .page(remember: false), from: TestAccounts.outsider)
            }
            #expect(code == .refused)
        }
        let signedIn = try await operations.signIn(
            magicLink: token, browser: "nonce", as: .page(remember: true), from: TestAccounts.client)
        #expect(signedIn.secrets?.remainsFor == .seconds(30 * 86_400))
        let event = try #require(try accounts.test.events(AuditFilter(type: "sign_in")).first)
        #expect(event.metadata["method"] == .string("magic_link"))
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.look(at: token, for: [.magicLink]) }
        let again = await refusal {
            _ = try await operations.signIn(
                magicLink: token, browser: "nonce", as: .page(remember: false), from: TestAccounts.client)
        }
        #expect(again == .invalidToken)
    }

    /// Whoever asks for a link of their own account by the API cannot talk somebody into signing in there with it.
    @Test func aLinkThatTheAPIAskedForIsGoodOnNoPage() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: TestAccounts.outsider)
        let token = try accounts.token("magic_link")
        for browser in [nil, "", "tab"] {
            #expect(try !operations.magicLink(at: token, browser: browser).isOfThisBrowser)
            let code = await refusal {
                _ = try await operations.signIn(
                    magicLink: token, browser: browser, as: .page(remember: false), from: TestAccounts.client)
            }
            #expect(code == .refused)
        }
        let signedIn = try await operations.signIn(
            magicLink: token, browser: nil, as: .api, from: TestAccounts.outsider)
        #expect(signedIn.tokens != nil && signedIn.secrets == nil)
    }

    @Test func lesson28_31_aLinkIsForOnePurposeOneUserAndAShortTime() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations()
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: TestAccounts.client)
        try await operations.forgotPassword("bert@example.com", from: TestAccounts.client)
        let magic = try accounts.token("magic_link")
        let reset = try accounts.token("password_reset")
        #expect(
            await refusal { try await operations.resetPassword(magic, to: new, from: TestAccounts.client) }
                == .invalidToken)
        #expect(
            await refusal { try await operations.verifyEmail(reset, from: TestAccounts.client) } == .invalidToken)
        #expect(await refusal { try await operations.unlock(reset, from: TestAccounts.client) } == .invalidToken)
        try await operations.resetPassword(reset, to: new, from: TestAccounts.client)
        #expect(await canSignIn(operations, "ada@example.com", right) == nil)
        #expect(await canSignIn(operations, "bert@example.com", new) == nil)
        accounts.test.clock.advance(.seconds(900))
        let late = await refusal {
            _ = try await operations.signIn(magicLink: magic, browser: nil, as: .api, from: TestAccounts.client)
        }
        #expect(late == .invalidToken)
        for text in [
            "", "x", "../../etc/passwd", String(repeating: "A", count: 43), String(repeating: "A", count: 1 << 20),
        ] {
            #expect(
                await refusal { try await operations.resetPassword(text, to: new, from: TestAccounts.client) }
                    == .invalidToken)
        }
    }

    @Test func ofTwoUsesAtOneInstantExactlyOneWins() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        for _ in 0..<10 {
            accounts.test.clock.advance(.seconds(1))
            try accounts.emptyOutbox()
            // The operator's is good by both faces.
            let link = try accounts.store.createLink(.magicLink, for: "ada@example.com", by: TestStore.cli)
            let token = String(try #require(link.url.split(separator: "/").last))
            let won = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        await refusal {
                            _ = try await operations.signIn(
                                magicLink: token, browser: nil, as: index % 2 == 0 ? .api : .page(remember: false),
                                from: TestAccounts.client)
                        } == nil
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(won == 1)
        }
        #expect(try accounts.store.sessions().count == 10)
        try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
        let token = try accounts.token("password_reset")
        let won = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                group.addTask {
                    let password = TestAccounts.secret("one of several new passwords \(index)")
                    return await refusal {
                        try await operations.resetPassword(token, to: password, from: TestAccounts.client)
                    } == nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(won == 1)
    }

    @Test func aResetEndsEverythingOfTheOldPassword() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: true), from: TestAccounts.outsider)
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: TestAccounts.outsider)
        let magic = try accounts.token("magic_link")
        for _ in 0..<5 { _ = await canSignIn(operations, "ada@example.com", new) }
        try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
        let token = try accounts.token("password_reset")
        #expect(
            await refusal {
                try await operations.resetPassword(
                    token, to: TestAccounts.secret("ada@example.com"), from: TestAccounts.client)
            } == .invalid)
        try await operations.resetPassword(token, to: new, from: TestAccounts.client)
        #expect(await canSignIn(operations, "ada@example.com", new) == nil)
        let reader = try AccountReader(store: accounts.store)
        let app = signedIn.secrets?.app ?? ""
        #expect(reader.read(app, .cookie, at: accounts.now).reason == .credentialRevoked)
        let old = await refusal {
            _ = try await operations.signIn(magicLink: magic, browser: nil, as: .api, from: TestAccounts.outsider)
        }
        #expect(old == .invalidToken)
        // The thief's browser is no known device any more.
        var thief = TestAccounts.outsider
        thief.deviceToken = signedIn.deviceToken
        let again = try await operations.signIn(
            "ada@example.com", password: new, as: .page(remember: false), from: thief)
        #expect(again.deviceToken != nil && again.deviceToken != thief.deviceToken)
        #expect(try accounts.mails().contains { $0.template == "password_changed" && $0.to == "ada@example.com" })
    }

    @Test func disablingEndsLinks() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: TestAccounts.client)
        try await operations.forgotPassword("ada@example.com", from: TestAccounts.client)
        let magic = try accounts.token("magic_link")
        let report = try accounts.store.disableUser("ada@example.com", by: TestStore.cli)
        #expect(report.links == 2)
        _ = try accounts.store.enableUser("ada@example.com", by: TestStore.cli)
        let code = await refusal {
            _ = try await operations.signIn(magicLink: magic, browser: nil, as: .api, from: TestAccounts.client)
        }
        #expect(code == .invalidToken)
        let left = try accounts.store.read {
            (try Tables.oneTimeLinks.count(in: $0), try Tables.linksByUser.count(in: $0))
        }
        #expect(left == (0, 0))
    }

    @Test func anAddressThatWasTakenMeanwhileStaysWhoseItIs() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let reader = try AccountReader(store: accounts.store)
        let signedIn = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.client)
        let identity = reader.read(signedIn.secrets?.portal ?? "", .portalCookie, at: accounts.now).identity
        let principal = try operations.principal(identity)
        try await operations.changeEmail(of: principal, to: "new@example.com", from: TestAccounts.client)
        let token = try accounts.token("confirm_new_email")
        try accounts.test.addUser("new@example.com")
        #expect(await refusal { try await operations.verifyEmail(token, from: TestAccounts.client) } == .exists)
        #expect(try accounts.store.check() == [])
    }
}
