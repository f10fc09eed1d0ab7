import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct SignInTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let wrong = TestAccounts.secret("another password entirely")

    @Test(arguments: ["ada", "ADA", " Ada ", "ada@example.com", "Ada@EXAMPLE.com"])
    func lesson14_anySpellingSignsIn(identifier: String) async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson(username: "Ada")
        let reader = try AccountReader(store: accounts.store)
        let signedIn = try await accounts.operations().signIn(
            identifier, password: right, as: .page(remember: false), from: TestAccounts.client)
        let secrets = try #require(signedIn.secrets)
        #expect(signedIn.tokens == nil && secrets.remainsFor == nil && signedIn.deviceToken != nil)
        let identity = try #require(reader.read(secrets.app, .cookie, at: accounts.now).identity)
        #expect(identity.user == "Ada" && identity.session == signedIn.session && identity.factors == 1)
        let session = try #require(try accounts.store.sessions().first)
        #expect(session.deviceName == "Firefox on Linux" && session.ipAddress == "192.0.2.10")
        #expect(session.userAgent?.hasPrefix("Mozilla/5.0") == true && session.kind == "browser")
        let event = try #require(try accounts.test.events(AuditFilter(type: "sign_in")).first)
        #expect(event.success && event.user == "Ada" && event.session == signedIn.session)
        #expect(event.ipAddress == "192.0.2.10" && event.requestID == "r1" && event.actor == "Ada")
        #expect(try accounts.mails().map(\.template).sorted() == ["new_device", "password_changed"])
    }

    @Test func anIDOrSomebodyElsesNameIsNoWayIn() async throws {
        let accounts = try TestAccounts()
        let ada = try accounts.addPerson()
        try accounts.test.addUser("bot@example.com", service: true)
        try accounts.test.addUser("bert@example.com")
        let operations = accounts.operations()
        for identifier in [ada.id, "bot@example.com", "bert@example.com", "nobody", "nobody@example.com"] {
            let code = await refusal {
                _ = try await operations.signIn(
                    identifier, password: right, as: .page(remember: false), from: TestAccounts.client)
            }
            #expect(code == .invalidCredentials)
        }
    }

    @Test(arguments: [
        "", "   ", "a\0b", "a\u{1b}[2J", "ada@example.com\nX: y", String(repeating: "a", count: 255),
        String(repeating: "a", count: 1_000_000),
    ])
    func whatIsNoIdentifierIsRefusedClearly(identifier: String) async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let code = await refusal {
            _ = try await operations.signIn(
                identifier, password: right, as: .api, from: TestAccounts.client)
        }
        #expect(code == .invalid)
        #expect(accounts.hasher.runs == 0)
    }

    @Test func hostilePasswordsAndClients() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        for bytes in [[], [0], [0xff, 0xfe], [UInt8](repeating: 65, count: 1_000_000)] as [[UInt8]] {
            let code = await refusal {
                _ = try await operations.signIn(
                    "ada@example.com", password: SecretBytes(copying: bytes), as: .page(remember: true),
                    from: TestAccounts.outsider)
            }
            #expect(code == .invalidCredentials || code == .accountLocked)
        }
        var client = TestAccounts.client
        client.deviceName = "a\nb"
        let code = await refusal {
            _ = try await operations.signIn("ada@example.com", password: right, as: .api, from: client)
        }
        #expect(code == .invalid)
    }

    @Test func anAPIClientGetsTokens() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        var client = TestAccounts.outsider
        client.deviceName = "backup script"
        let signedIn = try await accounts.operations().signIn(
            "ada@example.com", password: right, as: .api, from: client)
        let tokens = try #require(signedIn.tokens)
        #expect(signedIn.secrets == nil && signedIn.deviceToken == nil && tokens.expiresIn == 900)
        let reader = try AccountReader(store: accounts.store)
        let identity = try #require(reader.read(tokens.accessToken, .bearer, at: accounts.now).identity)
        #expect(identity.session == tokens.session && identity.factors == 1 && identity.amr == ["pwd"])
        #expect(try accounts.store.sessions().first?.deviceName == "backup script")
        #expect(
            reader.read(tokens.accessToken, .bearer, at: accounts.now + .seconds(900)).reason == .credentialExpired)
        for source in [PresentedCredential.Source.cookie, .portalCookie] {
            #expect(reader.read(tokens.refreshToken, source, at: accounts.now).reason == .credentialUnknown)
        }
    }

    /// Counted, not timed: the same hash runs, transactions, events, mails and the same refusal.
    @Test func lesson34_58_knownAndUnknownCostTheSame() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.test.addUser("no-password@example.com")
        let operations = accounts.operations()
        var costs: [[UInt64]] = []
        for identifier in ["ada@example.com", "nobody@example.com", "no-password@example.com", "nobody"] {
            var cost: [UInt64] = []
            for attempt in 1...7 {
                let runs = accounts.hasher.runs
                let transaction = try accounts.lastTransaction
                let events = try accounts.test.events().count
                let mails = try accounts.mails().filter { $0.template != "account_locked" }.count
                var code: AccountsError?
                do {
                    _ = try await operations.signIn(
                        identifier, password: wrong, as: .api, from: TestAccounts.outsider)
                } catch {
                    code = error
                }
                #expect(code?.code == (attempt <= 5 ? .invalidCredentials : .accountLocked))
                cost += [
                    accounts.hasher.runs - runs, try accounts.lastTransaction - transaction,
                    UInt64(try accounts.test.events().count - events),
                    UInt64(try accounts.mails().filter { $0.template != "account_locked" }.count - mails),
                    UInt64(code?.retryAfter?.components.seconds ?? 0), UInt64(code?.message.utf8.count ?? 0),
                ]
            }
            costs.append(cost)
        }
        for cost in costs { #expect(cost == costs[0]) }
        #expect(costs[0].prefix(2) == [1, 1])
    }

    @Test func disabledIsToldAfterTheRightPasswordOnly() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        _ = try accounts.store.disableUser("ada@example.com", by: TestStore.cli)
        for (email, expected) in [("ada@example.com", AccountsError.Code.userDisabled)] {
            let first = await refusal {
                _ = try await operations.signIn(email, password: wrong, as: .api, from: TestAccounts.client)
            }
            let second = await refusal {
                _ = try await operations.signIn(email, password: right, as: .api, from: TestAccounts.client)
            }
            #expect(first == .invalidCredentials && second == expected)
        }
        #expect(try accounts.store.sessions().isEmpty)
    }

    @Test func anOldHashIsReplacedAtTheFirstSignIn() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.test.addUser()
        let old = try PasswordHash.make(right, parameters: Argon2Parameters(memoryKiB: 16, passes: 2, lanes: 1))
        try accounts.store.setPassword(of: user.id, hash: old.text, by: TestStore.cli)
        _ = try await accounts.operations().signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.client)
        let stored = try accounts.store.read { try Tables.passwords.get(user.id, in: $0)?.hash }
        #expect(stored != old.text && stored?.contains("m=8") == true)
        _ = try await accounts.operations().signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.client)
    }

    @Test func lesson71_parallelSignInsNeverMixIdentities() async throws {
        let accounts = try TestAccounts()
        let count = 200
        for index in 0..<count {
            try accounts.addPerson("user\(index)@example.com", password: "the password of number \(index)")
        }
        let operations = accounts.operations()
        let signedIn = try await withThrowingTaskGroup(of: (Int, SignedIn).self) { group in
            for index in 0..<count {
                group.addTask {
                    let secret = TestAccounts.secret("the password of number \(index)")
                    let face: SignInFace = index % 2 == 0 ? .page(remember: false) : .api
                    return (
                        index,
                        try await operations.signIn(
                            "user\(index)@example.com", password: secret, as: face, from: TestAccounts.client)
                    )
                }
            }
            var all: [(Int, SignedIn)] = []
            for try await one in group { all.append(one) }
            return all
        }
        let reader = try AccountReader(store: accounts.store)
        #expect(Set(signedIn.map(\.1.session)).count == count)
        for (index, one) in signedIn {
            #expect(one.user.username == "user\(index)@example.com")
            let reading =
                one.secrets.map { reader.read($0.app, .cookie, at: accounts.now) }
                ?? reader.read(one.tokens?.accessToken ?? "", .bearer, at: accounts.now)
            #expect(reading.identity?.user == "user\(index)@example.com")
            #expect(reading.identity?.session == one.session)
        }
    }

    @Test func newDevicesAreToldOnceEach() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.emptyOutbox()
        let operations = accounts.operations()
        var browser = TestAccounts.client
        for _ in 0..<3 {
            let signedIn = try await operations.signIn(
                "ada@example.com", password: right, as: .page(remember: false), from: browser)
            #expect(browser.deviceToken == nil || browser.deviceToken == signedIn.deviceToken)
            browser.deviceToken = signedIn.deviceToken
            _ = try await operations.signIn("ada@example.com", password: right, as: .api, from: TestAccounts.outsider)
        }
        #expect(try accounts.mails().map(\.template) == ["new_device", "new_device"])
        // Another user's device is no device of this one.
        try accounts.addPerson("bert@example.com")
        let bert = try await operations.signIn(
            "bert@example.com", password: right, as: .page(remember: false), from: browser)
        #expect(bert.deviceToken != nil && bert.deviceToken != browser.deviceToken)
        accounts.store.setNotices(SecurityNotices(Set(SecurityNotice.allCases).subtracting([.newDevice])))
        try accounts.emptyOutbox()
        _ = try await operations.signIn(
            "ada@example.com", password: right, as: .page(remember: false), from: TestAccounts.outsider)
        #expect(try accounts.mails().isEmpty)
    }
}
