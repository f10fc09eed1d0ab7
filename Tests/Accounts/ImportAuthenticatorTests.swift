import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct ImportAuthenticatorTests {
    private static let bcrypt = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
    private static let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    private static let other = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

    private func uri(_ query: String, label: String = "Old:ada") -> String { "otpauth://totp/\(label)?\(query)" }

    private func csv(_ uri: String, more: String = "") throws -> [Result<ImportedAccount, ImportFlaw>] {
        try ImportFormat.csv.read(Array("email,name,password_hash,totp\na@example.com,Ada,\(more),\(uri)\n".utf8))
    }

    private func outcomes(_ report: ImportReport) -> [String] {
        report.outcomes.map { "\($0.outcome.rawValue)\($0.reason.map { ": \($0)" } ?? "")" }
    }

    private func run(
        _ test: TestStore, _ lines: [Result<ImportedAccount, ImportFlaw>], _ options: ImportOptions = ImportOptions()
    ) throws -> [String] {
        outcomes(try test.store.importUsers(lines, options, by: TestStore.cli))
    }

    private func record(_ test: TestStore, _ user: String = "a@example.com") throws -> TOTPRecord? {
        let id = try test.store.user(user).id
        return try test.store.read { try Tables.totp.get(id, in: $0) }
    }

    @Test(arguments: ["SHA1", "SHA256", "SHA512"], [6, 7, 8])
    func whatCodesAreMadeByIsKept(algorithm: String, digits: Int) async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let lines = try csv(uri("secret=\(Self.secret)&algorithm=\(algorithm.lowercased())&digits=\(digits)&period=45"))
        #expect(try run(accounts.test, lines) == ["new"])
        let stored = try #require(try record(accounts.test))
        #expect(stored.algorithm == algorithm && stored.digits == digits && stored.period == 45 && stored.isActive)
        #expect(!stored.jsonLine.contains(Self.secret))
        let user = try accounts.store.user("a@example.com")
        try accounts.store.setPassword(
            of: user.id, hash: try accounts.hasher.hashAndWait(TestAccounts.secret(TestAccounts.password)).text,
            by: TestStore.cli)
        func signIn(_ code: String?) async -> AccountsError.Code? {
            await refusal {
                _ = try await operations.signIn(
                    "a@example.com", password: TestAccounts.secret(TestAccounts.password), code: code, as: .api,
                    from: TestAccounts.client)
            }
        }
        #expect(await signIn(nil) == .twoFactorRequired)
        let password = try OneTimePassword(
            secret: SecretBytes(copying: try #require(Base32.decode(Self.secret))),
            algorithm: try #require(OneTimePassword.Algorithm(rawValue: algorithm)), digits: digits, period: 45)
        let code = try password.code(step: password.step(at: accounts.now))
        #expect(code.count == digits)
        #expect(await signIn(code) == nil)
        #expect(await signIn(code) == .invalidCredentials, "each code once")
    }

    @Test func toRunItAgainChangesNothing() throws {
        let test = try TestStore()
        let lines = try csv(uri("secret=\(Self.secret)"), more: Self.bcrypt)
        #expect(try run(test, lines, ImportOptions(isDryRun: true)) == ["new"])
        #expect(try test.store.users().isEmpty)
        #expect(try run(test, lines) == ["new"])
        let events = try test.events().count
        let stored = try #require(try record(test))
        for options in [ImportOptions(), ImportOptions(updates: true)] {
            #expect(try run(test, lines, options) == ["unchanged"])
        }
        #expect(try test.events().count == events)
        #expect(try record(test) == stored)
    }

    @Test func overAnAccountThatIsHereItTakesUpdateAndTellsTheOwner() throws {
        let accounts = try TestAccounts()
        let test = accounts.test
        #expect(try run(test, try csv("")) == ["new"])
        let lines = try csv(uri("secret=\(Self.secret)"))
        #expect(try run(test, lines) == ["skipped: it exists with another authenticator: --update takes it"])
        #expect(try record(test) == nil && accounts.mails().isEmpty)
        #expect(try run(test, lines, ImportOptions(updates: true, isDryRun: true)) == ["changed: authenticator"])
        #expect(try record(test) == nil && accounts.mails().isEmpty)
        #expect(try run(test, lines, ImportOptions(updates: true)) == ["changed: authenticator"])
        #expect(try accounts.mails().map(\.template) == ["totp_added"])
        let event = try #require(try test.events(AuditFilter(type: "factor_added")).first)
        #expect(event.metadata["imported"] == .boolean(true) && event.actor == "cli:root")
        // Theirs stays, whatever another file says.
        let stored = try #require(try record(test))
        let another = try csv(uri("secret=\(Self.other)"))
        #expect(
            try run(test, another, ImportOptions(updates: true))
                == ["unchanged: it has another authenticator here, which stays"])
        #expect(try record(test) == stored)
    }

    @Test func whatWasTakenAwayDoesNotComeBack() throws {
        let test = try TestStore()
        let lines = try csv(uri("secret=\(Self.secret)"))
        #expect(try run(test, lines) == ["new"])
        let id = try test.store.user("a@example.com").id
        let locks = [LockoutSubject.factor(userID: id), .wrongCodes(userID: id)].map(\.key)
        let now = test.now
        try test.tamper { transaction in
            for key in locks { try Tables.lockouts.put(LockoutRecord(at: now), for: key, in: transaction) }
        }
        _ = try test.store.resetFactors(of: id, printsLink: true, by: TestStore.cli)
        // What was counted against a factor goes with it.
        for key in locks { #expect(try test.store.read { try Tables.lockouts.get(key, in: $0) } == nil) }
        let update = ImportOptions(updates: true)
        #expect(
            try run(test, lines, update)
                == ["unchanged: its factors were reset: it sets up a new one by the link"])
        try test.tamper { transaction in
            guard var user = try Tables.users.get(id, in: transaction) else { return }
            user.enrolsByLink = nil
            try Tables.users.put(user, for: id, in: transaction)
        }
        #expect(
            try run(test, lines, update)
                == ["unchanged: its authenticator was imported before and taken away since"])
        // Nor does one that was there before it.
        let before = try csv(uri("secret=\(Self.other)"))
        #expect(
            try run(test, before, update) == ["unchanged: its authenticator was imported before and taken away since"])
        #expect(try record(test) == nil)
        // An account that is deleted and made anew is another one.
        _ = try test.store.deleteUser(id, by: TestStore.cli)
        let left = try test.store.read {
            try Tables.meta.get(MetaRecord.importedAuthenticator(of: id), in: $0)
        }
        #expect(left == nil)
    }

    @Test func ofAnotherSystemForAccountsThatAreHere() throws {
        let accounts = try TestAccounts()
        let test = accounts.test
        try test.addUser("a@example.com", username: "ada")
        try test.addUser("b@example.com", username: "bert")
        try test.addUser("bot@example.com", username: "bot", service: true)
        let good = try ImportedAuthenticator(secret: Self.secret, algorithm: "SHA512", digits: 8, lastUsedAt: test.now)
        let lines: [Result<ImportedFactor, ImportFlaw>] = [
            .success(ImportedFactor(line: 1, user: "ADA", authenticator: good)),
            .success(ImportedFactor(line: 2, user: "a@example.com", authenticator: good)),
            .success(ImportedFactor(line: 3, user: "nobody", authenticator: good)),
            .success(ImportedFactor(line: 4, user: "bot", authenticator: good)),
            .failure(ImportFlaw(line: 5, reason: "bad")),
        ]
        func run(dry: Bool = false) throws -> [String] {
            outcomes(try test.store.importAuthenticators(lines, isDryRun: dry, by: TestStore.cli))
        }
        let rest = [
            "skipped: line 1 has this user already", "skipped: there is no such account here",
            "skipped: it is a service account here", "skipped: bad",
        ]
        #expect(try run(dry: true) == ["changed: authenticator"] + rest)
        #expect(try record(test, "ada") == nil)
        #expect(try run() == ["changed: authenticator"] + rest)
        #expect(try run() == ["unchanged"] + rest)
        #expect(try accounts.mails().map(\.template) == ["totp_added"])
        // The code that was last given there is not good here.
        let stored = try #require(try record(test, "ada"))
        #expect(try stored.lastStep == good.password().step(at: test.now))
    }

    @Test func withoutTheMasterKeyNothingIsTaken() throws {
        let test = try TestStore()
        try test.reopen(masterKey: nil)
        let lines = try csv(uri("secret=\(Self.secret)"))
        #expect(throws: AccountsError(.noMasterKey, "")) { try run(test, lines) }
        #expect(try test.store.users().isEmpty)
    }

    @Test(arguments: [
        "", "https://example.com", "otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "otpauth://totp/x",
        "otpauth://totp/x?secret=", "otpauth://totp/x?secret=GEZDGNBV", "otpauth://totp/x?secret=not-base-32!",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=5",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=-6",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=0",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=99999999999999999999",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=MD5",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&encoder=steam",
        "otpauth://totp/x?secret=%zz", "otpauth://totp/x?secret=%",
    ])
    func hostileAddresses(uri: String) {
        #expect {
            _ = try ImportedAuthenticator(uri: uri)
        } throws: { error in
            // What is printed gives no secret away.
            !((error as? ImportedAuthenticatorError)?.reason.contains("GEZDGNBVGY3T") ?? true)
        }
        if !uri.isEmpty { #expect(throws: ImportFlaw.self) { try csv(uri).first?.get() } }
    }

    @Test func addressesAsOthersWriteThem() throws {
        let plain = try ImportedAuthenticator(secret: Self.secret)
        for text in [
            "otpauth://totp/Old:ada?secret=\(Self.secret)", "OTPAUTH://TOTP/x?secret=\(Self.secret.lowercased())",
            "otpauth://totp/a%20b?issuer=A+B&SECRET=\(Self.secret)&digits=6&period=30&algorithm=sha1&image=x",
        ] {
            #expect(try ImportedAuthenticator(uri: text) == plain)
        }
    }
}
