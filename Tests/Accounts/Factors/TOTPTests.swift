import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct TOTPTests {
    private let client = TestAccounts.client

    @Test func aSetUpIsGoodForNothingUntilACodeProvesIt() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let signedIn = try await accounts.signIn(operations)
        let principal = try accounts.principal(signedIn)
        let setUp = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
        #expect(setUp.backupCodes.count == 10 && Set(setUp.backupCodes).count == 10)
        #expect(setUp.uri.hasPrefix("otpauth://totp/Gatehouse:ada@example.com?secret=\(setUp.secret)&issuer=Gatehouse"))
        _ = try await accounts.signIn(operations)
        #expect(
            try operations.factors(of: principal)
                == FactorOverview(
                    totpSince: nil, totpLastUsedAt: nil, backupCodes: 0, passkeys: 0, hasAny: false))
        // What is stored gives the secret away to nobody.
        let user = signedIn.user.id
        let record = try #require(try accounts.store.read { try Tables.totp.get(user, in: $0) })
        #expect(!record.jsonLine.contains(setUp.secret))
        #expect(try #require(Base64.decode(record.sealed)).count > 20)

        let authenticator = try Authenticator(setUp.secret)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        #expect(
            await refusal { _ = try await operations.confirmTOTP(principal, code: wrong, from: client) } == .invalidCode
        )
        let right = try authenticator.code(at: accounts.now)
        let (secrets, codes) = try await operations.confirmTOTP(principal, code: right, from: client)
        #expect(secrets != nil && codes.isEmpty)
        let session = try #require(try operations.sessions(of: principal).first { $0.isCurrent })
        #expect(session.factors == 2 && session.amr == ["pwd", "otp", "mfa"])
        #expect(try accounts.mails().contains { $0.template == "totp_added" })
        #expect(
            await refusal { _ = try await operations.confirmTOTP(principal, code: right, from: client) } == .refused)
        #expect(
            await refusal { _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client) } == .exists)
    }

    @Test func aSetUpThatIsLeftAloneEnds() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let setUp = try await operations.setUpTOTP(principal, showsCodes: false, from: client)
        accounts.test.clock.advance(.seconds(3601))
        _ = try await operations.reauthenticate(
            principal, password: TestAccounts.secret(TestAccounts.password), from: client)
        let code = try Authenticator(setUp.secret).code(at: accounts.now)
        #expect(await refusal { _ = try await operations.confirmTOTP(principal, code: code, from: client) } == .refused)
    }

    @Test func lesson74_aStepIsAcceptedOncePerUser() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let code = try authenticator.code(at: accounts.now)
        let first = try await operations.finishSignIn(try await accounts.partial(operations), code: code, from: client)
        #expect(first.secrets != nil)
        // The same code again: by another sign-in, by the API, in the session, and the step before it.
        let again = try await accounts.partial(operations)
        #expect(
            await refusal { _ = try await operations.finishSignIn(again, code: code, from: client) } == .invalidCode)
        #expect(
            await refusal { _ = try await accounts.signIn(operations, code: code, as: .api) } == .invalidCredentials)
        #expect(
            await refusal { _ = try await operations.reauthenticate(principal, code: code, from: client) }
                == .invalidCode)
        let before = try authenticator.code(at: accounts.now, steps: -1)
        #expect(
            await refusal { _ = try await operations.reauthenticate(principal, code: before, from: client) }
                == .invalidCode)
        let reasons = try accounts.test.events(AuditFilter()).filter { !$0.success }.compactMap(\.reason)
        #expect(reasons.filter { $0 == "code_replayed" }.count == 4)
    }

    @Test func lesson74_ofTwoAtTheSameInstantOneWins() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, codes, _) = try await accounts.enrolled(operations)
        for code in [try authenticator.code(at: accounts.now), codes[0]] {
            let partials = [
                try await accounts.partial(operations), try await accounts.partial(operations),
                try await accounts.partial(operations),
            ]
            let outcomes = await withTaskGroup(of: AccountsError.Code?.self) { group in
                for partial in partials {
                    group.addTask {
                        await refusal { _ = try await operations.finishSignIn(partial, code: code, from: self.client) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1, "\(outcomes)")
            #expect(outcomes.filter { $0 == .invalidCode }.count == 2)
        }
    }

    @Test func lesson63_aThousandGuessesAndRightPasswordsBetweenThem() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, codes, principal) = try await accounts.enrolled(operations)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        var judged = 0
        for guess in 0..<1000 {
            // Each with the right password, from another address and another device.
            var client = client
            client.address = IPAddress("203.0.\(guess / 250).\(guess % 250 + 1)")
            let code: AccountsError.Code?
            if guess % 2 == 0 {
                let partial = try await accounts.partial(operations, from: client)
                code = await refusal { _ = try await operations.finishSignIn(partial, code: wrong, from: client) }
            } else {
                code = await refusal { _ = try await accounts.signIn(operations, code: wrong, as: .api, from: client) }
            }
            if code == .invalidCode || code == .invalidCredentials {
                judged += 1
            } else {
                #expect(code == .accountLocked)
            }
        }
        #expect(judged == 5)
        // Neither a right code nor a backup code nor the session gets past it, and no mailed link.
        let right = try authenticator.code(at: accounts.now)
        #expect(await refusal { _ = try await accounts.signIn(operations, code: right, as: .api) } == .accountLocked)
        #expect(await refusal { _ = try await accounts.signIn(operations, code: codes[0], as: .api) } == .accountLocked)
        #expect(
            await refusal { _ = try await operations.reauthenticate(principal, code: right, from: client) }
                == .accountLocked)
        #expect(try accounts.mails().filter { $0.template == "codes_locked" }.map(\.link) == [nil])
        #expect(try !accounts.mails().contains { $0.template == "account_locked" })
        // Time passes, or the operator lifts it.
        _ = try accounts.store.unlockUser("ada@example.com", by: TestStore.cli)
        _ = try await accounts.signIn(operations, code: right, as: .api)
    }

    @Test func lesson75_codesAreLimitedByClientWithoutConfiguration() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { configuration in
            configuration.limits = LimitPolicy()
            configuration.lockout = LockoutPolicy(failures: 1000)
        }
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        var codes: [AccountsError.Code?] = []
        for _ in 0..<60 {
            codes.append(
                await refusal { _ = try await operations.reauthenticate(principal, code: wrong, from: client) })
        }
        #expect(codes.contains(.rateLimited) && codes.last == .rateLimited)
    }

    @Test func backupCodesAreGoodOnceAndCounted() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (_, codes, principal) = try await accounts.enrolled(operations)
        for (used, code) in codes.enumerated() {
            // As people copy them.
            let typed = used % 2 == 0 ? code.uppercased().replacing("-", with: " ") : code
            let signedIn = try await operations.finishSignIn(
                try await accounts.partial(operations), code: typed, from: client)
            #expect(try operations.factors(of: principal).backupCodes == 9 - used)
            #expect(signedIn.user.email == "ada@example.com")
            #expect(
                await refusal { _ = try await operations.reauthenticate(principal, code: code, from: client) }
                    == .invalidCode)
            if used % 3 == 2 { _ = try accounts.store.unlockUser("ada@example.com", by: TestStore.cli) }
        }
        let templates = try accounts.mails().map(\.template)
        #expect(templates.filter { $0 == "backup_code_used" }.count == 10)
        #expect(templates.filter { $0 == "few_backup_codes" }.count == 4)
    }

    @Test func newBackupCodesReplaceTheOldOnes() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, codes, principal) = try await accounts.enrolled(operations)
        let renewed = try await operations.renewBackupCodes(
            principal, code: try authenticator.code(at: accounts.now), from: client)
        #expect(renewed.count == 10 && Set(renewed).isDisjoint(with: codes))
        #expect(
            await refusal { _ = try await operations.reauthenticate(principal, code: codes[3], from: client) }
                == .invalidCode)
        _ = try await operations.reauthenticate(principal, code: renewed[3], from: client)
        #expect(try accounts.mails().contains { $0.template == "backup_codes_renewed" })
    }

    @Test func takingItAwayNeedsACodeAndTakesTheBackupCodesToo() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        #expect(
            await refusal { try await operations.disableTOTP(principal, code: wrong, from: client) } == .invalidCode)
        let required = accounts.operations { $0.secondFactorIsRequired = true }
        let code = try authenticator.code(at: accounts.now)
        #expect(await refusal { try await required.disableTOTP(principal, code: code, from: client) } == .refused)
        // What was refused has used nothing up.
        try await operations.disableTOTP(principal, code: code, from: client)
        #expect(try operations.factors(of: principal).hasAny == false)
        _ = try await accounts.signIn(operations)
        #expect(try accounts.mails().contains { $0.template == "totp_removed" })
        #expect(await refusal { try await operations.disableTOTP(principal, code: code, from: client) } == .refused)
    }

    @Test func whoeverHasUsedUpAllBackupCodesGetsNewOnesWithTheNextFactor() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let store = accounts.store
        let codes = try BackupCodes.make(store.random, for: user.id)
        let now = accounts.now
        for (left, isGiven) in [([String](), true), (["one is left"], false)] {
            let shown = try store.write { transaction in
                try Tables.backupCodes.put(
                    BackupCodesRecord(digests: left, createdAt: now), for: user.id, in: transaction)
                let owner = try store.require(user: user.id, in: transaction)
                return try store.giveBackupCodes(codes, to: owner, at: now, in: transaction)
            }
            #expect(shown == (isGiven ? codes.codes : []))
        }
    }

    @Test(arguments: ["", " ", "\0", "000000\0", "abcdef", "１２３４５６", String(repeating: "1", count: 1_000_000)])
    func hostileCodes(code: String) async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (_, _, principal) = try await accounts.enrolled(operations)
        #expect(
            await refusal { _ = try await operations.reauthenticate(principal, code: code, from: client) }
                == .invalidCode)
    }

    @Test func authenticatorsOfOtherSystemsKeepWhatTheyMakeCodesBy() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let user = try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let seed = Array("12345678901234567890123456789012".utf8)
        let sealed = try accounts.store.masterKeys().seal(seed, in: .totpSecret, key: user.id)
        let now = accounts.now
        try accounts.test.tamper { transaction in
            try Tables.totp.put(
                TOTPRecord(
                    sealed: Base64.encode(sealed), algorithm: "SHA256", digits: 8, period: 60, createdAt: now,
                    activeSince: now), for: user.id, in: transaction)
        }
        let password = try OneTimePassword(
            secret: SecretBytes(copying: seed), algorithm: .sha256, digits: 8, period: 60)
        _ = try await operations.reauthenticate(
            principal, code: password.code(step: password.step(at: now)), from: client)
    }
}
