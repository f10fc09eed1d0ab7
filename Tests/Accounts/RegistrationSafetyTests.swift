import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

/// What strangers can neither learn nor spoil by asking for mails and registering addresses.
@Suite struct RegistrationSafetyTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let new = TestAccounts.secret("a quite different passphrase")

    private func signingIn(
        _ operations: AccountOperations, _ email: String, _ password: SecretBytes
    ) async -> AccountsError.Code? {
        await refusal {
            _ = try await operations.signIn(email, password: password, as: .api, from: TestAccounts.outsider)
        }
    }

    /// Where the hash of the account was compared and there is no room, or no time, to compare a registration's.
    @Test(arguments: ["busy", "gone away"])
    func aWrongGuessCountsWhateverBecomesOfTheSecondComparison(_ end: String) async throws {
        let accounts = try TestAccounts()
        // Slow enough for the end to come while the account's hash is compared.
        let slow = try PasswordHasher(
            PasswordHasher.Configuration(
                threads: 1, parameters: Argon2Parameters(memoryKiB: 8192, passes: 40, lanes: 1)))
        defer { slow.stop() }
        let ada = try accounts.test.addUser("ada@example.com")
        let hash = try slow.hashAndWait(TestAccounts.secret("the password of ada herself")).text
        _ = try accounts.store.setPassword(of: ada.id, hash: hash, by: TestStore.cli)
        let quick = accounts.operations { $0.lockout = LockoutPolicy(failures: 1, period: .seconds(1800)) }
        try await quick.register("ada@example.com", password: right, from: TestAccounts.outsider)
        let operations = AccountOperations(
            store: accounts.store, hasher: slow, limiter: accounts.limiter, configuration: quick.configuration)
        let before = slow.runs
        let guess = Task { await signingIn(operations, "ada@example.com", right) }
        while slow.runs == before { try await Task.sleep(for: .milliseconds(1)) }
        if end == "busy" { slow.stop() } else { guess.cancel() }
        let code = await guess.value
        #expect(code == .invalidCredentials || code == .emailNotVerified)
        #expect(await signingIn(quick, "ada@example.com", new) == .accountLocked)
    }

    /// Strangers use up their own mails, and those of one purpose only.
    @Test func nobodyKeepsAPersonFromTheirMails() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations {
            $0.limits.limits[.mail] = RateLimit(count: 1, per: .seconds(3600), burst: 2)
        }
        var owner = TestAccounts.client
        owner.deviceToken = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: owner
        ).deviceToken
        func asking(_ client: Client) async -> AccountsError.Code? {
            await refusal { try await operations.requestMagicLink("ada@example.com", browser: "tab", from: client) }
        }
        var codes: [AccountsError.Code?] = []
        for index in 0..<5 { codes.append(await asking(Client(address: IPAddress("198.51.100.\(index)")))) }
        #expect(codes == [nil, nil, .rateLimited, .rateLimited, .rateLimited])
        #expect(await asking(owner) == nil)
        // A device token of somebody else, or none, is no way round.
        try accounts.addPerson("bert@example.com")
        var bert = Client(address: IPAddress("198.51.100.77"))
        bert.deviceToken = try await operations.signIn(
            "bert@example.com", password: right, as: .page(remember: false), from: bert
        ).deviceToken
        #expect(await asking(bert) == .rateLimited)
        let junk = ["", "x", "\0", String(repeating: "A", count: 43), String(repeating: "A", count: 1 << 20)]
        for (index, token) in junk.enumerated() {
            bert.deviceToken = token
            bert.address = IPAddress("198.51.100.\(index + 100)")
            #expect(await asking(bert) == .rateLimited)
        }
        // The device's own are counted too.
        owner.address = IPAddress("192.0.2.11")
        #expect(await asking(owner) == nil)
        owner.address = IPAddress("192.0.2.12")
        #expect(await asking(owner) == .rateLimited)
        // Another purpose is another matter.
        let elsewhere = Client(address: IPAddress("192.0.2.99"))
        #expect(await refusal { try await operations.forgotPassword("ada@example.com", from: elsewhere) } == nil)
    }

    @Test func aPasswordThatIsRefusedUsesUpNoMail() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.limits = LimitPolicy() }
        for index in 0..<20 {
            let code = await refusal {
                try await operations.register(
                    "ada@example.com", password: TestAccounts.secret("short"),
                    from: Client(address: IPAddress("198.51.100.\(index)")))
            }
            #expect(code == .invalid)
        }
        #expect(accounts.hasher.runs == 0)
        try await operations.register("ada@example.com", password: right, from: TestAccounts.client)
        #expect(try accounts.mails().map(\.template) == ["verify_email"])
        // The client is counted for all that.
        let client = Client(address: IPAddress("203.0.113.200"))
        var codes: [AccountsError.Code?] = []
        for _ in 0..<6 {
            codes.append(
                await refusal {
                    try await operations.register(
                        "bert@example.com", password: TestAccounts.secret("short"), from: client)
                })
        }
        #expect(codes == Array(repeating: .invalid, count: 5) + [.rateLimited])
    }

    /// Lesson 34: whoever registered an address hears the same at each sign-in, whether and when it becomes an account.
    @Test func lesson34_anAccountThatAppearsTellsNobody() async throws {
        var seen: [[AccountsError.Code?]] = []
        for way in ["none", "its owner", "the operator", "an import"] {
            for failuresBefore in [2, 6] {
                let accounts = try TestAccounts()
                let operations = accounts.operations()
                try await operations.register("ada@example.com", password: new, name: "Ada", from: TestAccounts.client)
                let token = try accounts.token("verify_email")
                accounts.test.clock.advance(.seconds(1))
                try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
                var codes: [AccountsError.Code?] = []
                let wrong = TestAccounts.secret("not the password of anybody")
                for _ in 0..<failuresBefore { codes.append(await signingIn(operations, "ada@example.com", wrong)) }
                switch way {
                case "its owner": try await operations.verifyEmail(token, from: TestAccounts.client)
                case "the operator": try accounts.test.addUser("ada@example.com", username: "ada")
                case "an import":
                    let lines = try ImportFormat.csv.read(Array("email,username\nada@example.com,ada\n".utf8))
                    let report = try accounts.store.importUsers(lines, ImportOptions(), by: TestStore.cli)
                    #expect(report.count(.new) == 1)
                default: break
                }
                for password in [right, wrong, right, wrong] {
                    codes.append(await signingIn(operations, "ada@example.com", password))
                }
                accounts.test.clock.advance(.seconds(1801))
                for password in [right, wrong] {
                    codes.append(await signingIn(operations, "ada@example.com", password))
                }
                seen.append(codes)
                #expect(try accounts.store.check() == [])
            }
        }
        for index in seen.indices { #expect(seen[index] == seen[index % 2]) }
        #expect(seen[0].contains(.emailNotVerified) && seen[0].contains(.accountLocked))
        #expect(seen[1].contains(.emailNotVerified) && seen[1].contains(.accountLocked))
    }

    /// The registration that became the account shows as little: an earlier one does not come to the fore again.
    @Test func lesson34_theRegistrationThatWonIsStillTheNewest() async throws {
        for isFollowed in [false, true] {
            let accounts = try TestAccounts()
            let operations = accounts.operations()
            try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
            accounts.test.clock.advance(.seconds(1))
            try await operations.register("ada@example.com", password: new, from: TestAccounts.client)
            #expect(await signingIn(operations, "ada@example.com", right) == .invalidCredentials)
            if isFollowed {
                try await operations.verifyEmail(try accounts.token("verify_email"), from: TestAccounts.client)
            }
            #expect(await signingIn(operations, "ada@example.com", right) == .invalidCredentials)
        }
    }

    /// What is counted for an account that appears goes when its time is over, and the operator lifts it as any lock.
    @Test func inheritedFailuresAreSweptAndLifted() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        for name in ["ada@example.com", "ada"] {
            for _ in 0..<3 { _ = await signingIn(operations, name, right) }
        }
        try accounts.test.addUser("ada@example.com", username: "ada")
        #expect(await signingIn(operations, "ada", right) == .invalidCredentials)
        #expect(await signingIn(operations, "ada", right) == .accountLocked)
        #expect(try accounts.store.unlockUser("ada", by: TestStore.cli))
        #expect(await signingIn(operations, "ada", right) == .invalidCredentials)
        for _ in 0..<3 { _ = await signingIn(operations, "bert@example.com", right) }
        try accounts.test.addUser("bert@example.com", username: "bert")
        accounts.test.clock.advance(.seconds(3600))
        while try accounts.store.sweep() > 0 {}
        let left = try accounts.store.read { try Tables.lockouts.count(in: $0) }
        #expect(left == 0)
    }

    @Test func invitationsThatAreAskedForAgainAreFew() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.registration = .invited }
        let user = try accounts.test.addUser("ada@example.com")
        let invitation = try accounts.store.createLink(.invitation, for: user.id, by: TestStore.cli)
        for _ in 0..<20 {
            accounts.test.clock.advance(.seconds(1))
            try await operations.register("ada@example.com", password: nil, from: TestAccounts.outsider)
        }
        let left = try accounts.store.read { transaction in
            try Tables.linksByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(user.id), in: transaction).count
        }
        #expect(left == 5)
        let own = String(try #require(invitation.url.split(separator: "/").last))
        for token in [own, try accounts.token("invitation")] {
            #expect(try operations.look(at: token, for: [.invitation]) == .invitation)
        }
    }

    /// Where there are no passwords, no mail leads to a page that refuses to set one.
    @Test func withoutPasswordsAnInvitedAddressIsToldToSignIn() async throws {
        for kind in [AccountOperations.Configuration.Registration.open, .invited] {
            let accounts = try TestAccounts()
            let operations = accounts.operations {
                $0.registration = kind
                $0.passwordIsEnabled = false
            }
            let user = try accounts.test.addUser("ada@example.com")
            _ = try accounts.store.createLink(.invitation, for: user.id, by: TestStore.cli)
            try await operations.register("ada@example.com", password: right, from: TestAccounts.outsider)
            let mail = try #require(try accounts.mails().last)
            #expect(mail.template == "already_registered")
            #expect(mail.link?.hasSuffix("/.auth/login") == true)
        }
    }
}
