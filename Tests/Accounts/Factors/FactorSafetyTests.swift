import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

/// Whoever has only a part of what it takes: a password, another session, the mailbox, an older proof.
@Suite struct FactorSafetyTests {
    private let client = TestAccounts.client

    // MARK: A set-up is whose it is

    @Test func aSetUpIsReadAndProvedByTheSessionThatBeganItAlone() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let mine = try accounts.principal(try await accounts.signIn(operations))
        let other = try accounts.principal(try await accounts.signIn(operations, from: TestAccounts.outsider))
        let setUp = try await operations.setUpTOTP(mine, showsCodes: true, from: client)
        let code = try Authenticator(setUp.secret).code(at: accounts.now)
        #expect(await refusal { _ = try operations.pendingTOTP(of: other) } == .refused)
        #expect(await refusal { _ = try await operations.confirmTOTP(other, code: code, from: client) } == .refused)
        #expect(try operations.pendingTOTP(of: mine).secret == setUp.secret)
        // Whoever begins later replaces it; what the first one then types proves nothing of the other's.
        let swapped = try await operations.setUpTOTP(other, showsCodes: true, from: client)
        let theirs = try Authenticator(swapped.secret).code(at: accounts.now)
        for code in [code, theirs] {
            #expect(await refusal { _ = try await operations.confirmTOTP(mine, code: code, from: client) } == .refused)
        }
        #expect(try !operations.factors(of: mine).hasAny)
    }

    @Test func twoSignInsThatEnrolAtOnceDoNotShareASecret() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        try accounts.addPerson()
        let mine = try await accounts.partial(operations)
        let other = try await accounts.partial(operations, from: TestAccounts.outsider)
        let setUp = try await operations.setUpTOTP(mine, from: client)
        let code = try Authenticator(setUp.secret).code(at: accounts.now)
        #expect(await refusal { _ = try operations.pendingTOTP(of: other) } == .refused)
        #expect(await refusal { _ = try await operations.finishEnrolment(other, code: code, from: client) } == .refused)
        _ = try await operations.finishEnrolment(mine, code: code, from: client)
    }

    @Test func noCodesAreMadeThatNobodySees() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let setUp = try await operations.setUpTOTP(principal, showsCodes: false, from: client)
        let (_, codes) = try await operations.confirmTOTP(
            principal, code: try Authenticator(setUp.secret).code(at: accounts.now), givesCodes: false, from: client)
        #expect(codes.isEmpty)
        #expect(try operations.factors(of: principal).backupCodes == 0)
    }

    // MARK: What a sign-in waits for

    /// Where there is nothing to hold a code against, any text would finish the sign-in.
    @Test func aSignInThatWaitsForAFactorThatIsGoneBeginsAgain() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        _ = try await accounts.enrolled(operations)
        let partial = try await accounts.partial(operations)
        _ = try accounts.store.resetFactors(of: "ada@example.com", printsLink: true, by: TestStore.cli)
        #expect(
            await refusal { _ = try await operations.finishSignIn(partial, code: "x", from: client) } == .invalidToken)
    }

    @Test func aPasskeyThatIsTakenAwayFinishesNoSignIn() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let digest = [UInt8](repeating: 7, count: 32)
        let (user, now) = (principal.userID, accounts.now)
        try accounts.test.tamper { transaction in
            let record = PasskeyRecord(
                id: "pk_1", userID: user, credentialID: "", algorithm: .es256, publicKey: "", counter: 0, name: "",
                createdAt: now, backedUp: false, transports: [], attestation: "none")
            try Tables.passkeys.put(record, for: digest, in: transaction)
            try Tables.passkeysByUser.put(EmptyRecord(), for: KeyPair(user, digest), in: transaction)
        }
        let signIn = CompleteSignIn(
            proof: Proof(amr: ["hwk"], factors: 1), face: TestAccounts.page, client: client,
            kept: try KeptClient(client), materials: try SignInMaterials(accounts.store.random),
            configuration: operations.configuration, method: "passkey", basis: .passkey(digest: digest))
        let store = accounts.store
        let outcome = try await store.writing { transaction -> SignInOutcome in
            let owner = try #require(try Tables.users.get(user, in: transaction))
            return try store.complete(signIn, of: owner, at: now, in: transaction)
        }
        guard case .refused(let asked) = outcome else { throw AccountsError(.invalid, "it asks for no factor") }
        let partial = try #require(asked.partial)
        try accounts.test.tamper { transaction in
            try Tables.passkeys.delete(digest, in: transaction)
            try Tables.passkeysByUser.delete(KeyPair(user, digest), in: transaction)
        }
        let code = try authenticator.code(at: now)
        #expect(
            await refusal { _ = try await operations.finishSignIn(partial, code: code, from: client) }
                == .invalidToken)
    }

    @Test func aChallengeIsOfOneSignIn() throws {
        let challenges = PasskeyChallenges()
        let now = Timestamp(seconds: 1_700_000_000)
        let challenge = try challenges.issue(.factor(signIn: "ses_1"), SystemRandom(), at: now)
        #expect(!challenges.take(challenge, .signIn, at: now))
        #expect(!challenges.take(challenge, .factor(signIn: "ses_2"), at: now))
        #expect(!challenges.take(challenge, .proof(session: "ses_1"), at: now))
        #expect(challenges.take(challenge, .factor(signIn: "ses_1"), at: now))
    }

    // MARK: After a reset

    private func token(_ url: String?) throws -> String {
        String(try #require(url?.split(separator: "/").last))
    }

    @Test func afterAResetASessionWantsTheLinkToo() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.passkeys.isEnabled = true }
        _ = try await accounts.enrolled(operations)
        let reset = try accounts.store.resetFactors(of: "ada@example.com", printsLink: true, by: TestStore.cli)
        let principal = try accounts.principal(try await accounts.signIn(operations))
        func setUp() async -> AccountsError.Code? {
            await refusal { _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client) }
        }
        #expect(await setUp() == .refused)
        #expect(await refusal { _ = try operations.beginPasskey(principal) } == .refused)
        let bert = try accounts.addPerson("bert@example.com")
        let berts = try accounts.store.resetFactors(of: bert.id, printsLink: true, by: TestStore.cli)
        for link in ["", "\0", try token(berts.link), String(repeating: "a", count: 100_000)] {
            #expect(try await !operations.noteEnrolmentLink(link, session: principal.session))
        }
        #expect(await setUp() == .refused)
        #expect(try await operations.noteEnrolmentLink(try token(reset.link), session: principal.session))
        #expect(await setUp() == nil)
        // It ends like any link.
        accounts.test.clock.advance(Store.enrolmentLifetime)
        let later = try await accounts.signIn(operations)
        #expect(try await !operations.noteEnrolmentLink(try token(reset.link), session: later.session))
    }

    @Test func theMailboxAloneSetsNothingUpAfterAReset() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        _ = try await accounts.enrolled(accounts.operations())
        let new = "four other words entirely"
        for isPrinted in [false, true] {
            accounts.test.clock.advance(.seconds(1))
            let reset = try accounts.store.resetFactors(
                of: "ada@example.com", printsLink: isPrinted, by: TestStore.cli)
            let link = try isPrinted ? token(reset.link) : accounts.token("factors_reset")
            // A link that signs in, beside one that came by mail as well.
            let magic = try token(
                try accounts.store.createLink(.magicLink, for: "ada@example.com", by: TestStore.cli).url)
            var partial: PartialSignIn?
            do {
                _ = try await operations.signIn(
                    magicLink: magic, browser: nil, as: TestAccounts.page, from: client)
            } catch { partial = error.partial }
            let byMail = try #require(partial)
            #expect(
                await refusal { _ = try await operations.setUpTOTP(byMail, link: link, from: client) }
                    == (isPrinted ? nil : .refused))
            // A password that came by mail ends the link.
            accounts.test.clock.advance(.seconds(1))
            let mailed = try token(
                try accounts.store.createLink(.resetPassword, for: "ada@example.com", by: TestStore.cli).url)
            try await operations.resetPassword(mailed, to: TestAccounts.secret(new), from: client)
            #expect(await refusal { _ = try operations.look(at: link, for: [.enrolFactor]) } == .invalidToken)
        }
    }

    @Test func aPasswordThatIsYoungerThanTheLinkIsNothingBesideIt() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        _ = try await accounts.enrolled(accounts.operations())
        let reset = try accounts.store.resetFactors(of: "ada@example.com", printsLink: true, by: TestStore.cli)
        accounts.test.clock.advance(.seconds(1))
        try accounts.store.setPassword(
            of: "ada@example.com",
            hash: try accounts.hasher.hashAndWait(TestAccounts.secret(TestAccounts.password)).text, by: TestStore.cli)
        let partial = try await accounts.partial(operations)
        let link = try token(reset.link)
        #expect(await refusal { _ = try await operations.setUpTOTP(partial, link: link, from: client) } == .refused)
    }

    @Test func backupCodesAloneAreNoFactorToStayWith() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        let (_, codes, _) = try await accounts.enrolled(accounts.operations())
        let reset = try accounts.store.resetFactors(
            of: "ada@example.com", only: [.totp], printsLink: true, by: TestStore.cli)
        let partial = try await accounts.partial(operations)
        #expect(partial.need == .factor)
        // The API sets nothing up, so it uses no code up.
        #expect(
            await refusal { _ = try await accounts.signIn(operations, code: codes[0], as: .api) } == .twoFactorRequired)
        var next: PartialSignIn?
        do {
            _ = try await operations.finishSignIn(partial, code: codes[0], from: client)
        } catch { next = error.partial }
        let enrolling = try #require(next)
        #expect(enrolling.need == .enrolment && enrolling.needsLink)
        #expect(await refusal { _ = try await operations.setUpTOTP(enrolling, from: client) } == .refused)
        #expect(
            await refusal { _ = try await operations.finishSignIn(enrolling, code: codes[1], from: client) }
                == .refused)
        let link = try token(reset.link)
        let setUp = try await operations.setUpTOTP(enrolling, link: link, from: client)
        let (signedIn, _) = try await operations.finishEnrolment(
            enrolling, link: link, code: try Authenticator(setUp.secret).code(at: accounts.now), from: client)
        #expect(signedIn.secrets != nil)
    }

    // MARK: How old a proof is

    @Test func aPasswordDoesNotRenewTheSecondFactor() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        #expect(try operations.missingProof(of: principal) == nil)
        accounts.test.clock.advance(.seconds(601))
        _ = try await operations.reauthenticate(
            principal, password: TestAccounts.secret(TestAccounts.password), from: client)
        #expect(try operations.missingProof(of: principal)?.code == .reauthenticationRequired)
        _ = try await operations.reauthenticate(
            principal, code: try authenticator.code(at: accounts.now), from: client)
        #expect(try operations.missingProof(of: principal) == nil)
    }

    @Test func aSessionOfOneFactorGoesOnNoLongerThanOneIsEnough() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let first = try #require(try await accounts.signIn(operations, as: .api).tokens)
        let required = accounts.operations { $0.secondFactorIsRequired = true }
        #expect(
            await refusal { _ = try await required.refresh(first.refreshToken, from: client) } == .invalidToken)
        let next = try await operations.refresh(first.refreshToken, from: client)
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let setUp = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
        _ = try await operations.confirmTOTP(
            principal, code: try Authenticator(setUp.secret).code(at: accounts.now), from: client)
        #expect(
            await refusal { _ = try await operations.refresh(next.refreshToken, from: client) } == .invalidToken)
    }

    @Test(arguments: [true, false]) func signingOutEverywhereTrustsNoDevice(byOperator: Bool) async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.trustsDevicesFor = .seconds(30 * 86_400) }
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let trusted = try await operations.finishSignIn(
            try await accounts.partial(operations), code: try authenticator.code(at: accounts.now), trustsDevice: true,
            from: client)
        var known = client
        known.deviceToken = trusted.deviceToken
        _ = try await accounts.signIn(operations, from: known)
        if byOperator {
            _ = try accounts.store.signOutUser("ada@example.com", by: TestStore.cli)
        } else {
            try await operations.revokeSessions(of: principal, everywhere: true, from: client)
        }
        #expect(await refusal { _ = try await accounts.signIn(operations, from: known) } == .twoFactorRequired)
    }

    /// Where it comes to nothing, no code is judged: neither a right one is used up nor a wrong one told from it.
    @Test func whatIsRefusedAnywayJudgesNoCode() async throws {
        let accounts = try TestAccounts()
        let (authenticator, codes, principal) = try await accounts.enrolled(accounts.operations())
        let required = accounts.operations { $0.secondFactorIsRequired = true }
        for code in [try authenticator.wrongCode(at: accounts.now), codes[0]] {
            #expect(await refusal { try await required.disableTOTP(principal, code: code, from: client) } == .refused)
        }
        #expect(try required.factors(of: principal).backupCodes == 10)
    }
}
