import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct TwoStepTests {
    private let client = TestAccounts.client

    @Test func lesson43_everyWayInAsksWhoeverHasEnrolledAnything() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, codes, _) = try await accounts.enrolled(operations)
        #expect(await refusal { _ = try await accounts.signIn(operations, as: .api) } == .twoFactorRequired)
        #expect(await refusal { _ = try await accounts.signIn(operations) } == .twoFactorRequired)
        // A link signs in after a code only, and stays good until then.
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: client)
        let link = try accounts.token("magic_link")
        #expect(
            await refusal {
                _ = try await operations.signIn(magicLink: link, browser: nil, as: .api, from: client)
            } == .twoFactorRequired)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        #expect(
            await refusal {
                _ = try await operations.signIn(magicLink: link, browser: nil, code: wrong, as: .api, from: client)
            } == .invalidCredentials)
        let code = try authenticator.code(at: accounts.now)
        let signedIn = try await operations.signIn(magicLink: link, browser: nil, code: code, as: .api, from: client)
        #expect(signedIn.tokens != nil)
        #expect(
            await refusal {
                _ = try await operations.signIn(magicLink: link, browser: nil, code: codes[0], as: .api, from: client)
            } == .invalidToken)
        // Only backup codes are left of what was enrolled: they are asked for all the same.
        try accounts.test.tamper { try Tables.totp.delete(signedIn.user.id, in: $0) }
        #expect(await refusal { _ = try await accounts.signIn(operations, as: .api) } == .twoFactorRequired)
        _ = try await accounts.signIn(operations, code: codes[0], as: .api)
    }

    @Test func theTokensSayWhatWasProved() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        let signedIn = try await accounts.signIn(operations, code: try authenticator.code(at: accounts.now), as: .api)
        let tokens = try #require(signedIn.tokens)
        for token in [tokens.accessToken, try await operations.refresh(tokens.refreshToken, from: client).accessToken] {
            let payload = try #require(Base64URL.decode(String(token.split(separator: ".")[1])))
            let text = String(decoding: payload, as: UTF8.self)
            #expect(text.contains(#""amr":["pwd","otp","mfa"]"#) && text.contains(#""acr":"aal2""#), "\(text)")
            #expect(text.contains("\"auth_time\":\(accounts.now.seconds)"))
        }
        let session = try #require(try accounts.store.sessions().first { $0.id == signedIn.session })
        #expect(session.factors == 2)
    }

    @Test func lesson69_aPartialSignInEndsWithWhatItRestsOn() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        func dies(_ change: () async throws -> Void) async throws {
            let partial = try await accounts.partial(operations)
            try await change()
            let code = try authenticator.code(at: accounts.now)
            #expect(
                await refusal { _ = try await operations.finishSignIn(partial, code: code, from: client) }
                    == .invalidToken)
        }
        try await dies { accounts.test.clock.advance(.seconds(601)) }
        try await dies {
            try accounts.store.setPassword(
                of: "ada@example.com",
                hash: try accounts.hasher.hashAndWait(TestAccounts.secret(TestAccounts.password)).text,
                by: TestStore.cli)
        }
        try await dies { _ = try accounts.store.disableUser("ada@example.com", by: TestStore.cli) }
    }

    @Test func lesson84_theSetUpIsForThoseWithAFullSessionOrWithoutAnyFactor() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        let (_, _, _) = try await accounts.enrolled(accounts.operations())
        let partial = try await accounts.partial(operations)
        #expect(partial.need == .factor)
        #expect(await refusal { _ = try await operations.setUpTOTP(partial, from: client) } == .refused)
        #expect(await refusal { _ = try operations.pendingTOTP(of: partial) } == .refused)
        #expect(
            await refusal { _ = try await operations.finishEnrolment(partial, code: "123456", from: client) }
                == .refused)
    }

    @Test func whereAFactorIsRequiredOneIsSetUpOnceOnTheWayIn() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.secondFactorIsRequired = true }
        try accounts.addPerson()
        #expect(await refusal { _ = try await accounts.signIn(operations, as: .api) } == .twoFactorRequired)
        let partial = try await accounts.partial(operations)
        #expect(partial.need == .enrolment)
        #expect(
            await refusal { _ = try await operations.finishSignIn(partial, code: "123456", from: client) } == .refused)
        let setUp = try await operations.setUpTOTP(partial, from: client)
        #expect(setUp.backupCodes.isEmpty)
        #expect(try operations.pendingTOTP(of: partial).secret == setUp.secret)
        let authenticator = try Authenticator(setUp.secret)
        let other = try await accounts.partial(operations)
        let (signedIn, codes) = try await operations.finishEnrolment(
            partial, code: try authenticator.code(at: accounts.now), from: client)
        #expect(codes.count == 10)
        #expect(try operations.sessions(of: try accounts.principal(signedIn)).first?.factors == 2)
        // A second one that had begun meanwhile does not replace it.
        #expect(await refusal { _ = try await operations.setUpTOTP(other, from: client) } == .refused)
        accounts.test.clock.advance(.seconds(60))
        let next = try await accounts.partial(operations)
        #expect(next.need == .factor)
        _ = try await operations.finishSignIn(next, code: try authenticator.code(at: accounts.now), from: client)
    }

    @Test func aTrustedDeviceIsNotAskedAndHasProvedOneFactor() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.trustsDevicesFor = .seconds(30 * 86_400) }
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        let first = try await operations.finishSignIn(
            try await accounts.partial(operations), code: try authenticator.code(at: accounts.now), trustsDevice: true,
            from: client)
        var known = client
        known.deviceToken = first.deviceToken
        let second = try await accounts.signIn(operations, from: known)
        let session = try #require(try accounts.store.sessions().first { $0.id == second.session })
        #expect(session.factors == 1 && session.amr == ["pwd"])
        // Not for the API, not once the operator says so no more, not for what protects the account, not for ever.
        #expect(
            await refusal { _ = try await accounts.signIn(operations, as: .api, from: known) } == .twoFactorRequired)
        #expect(
            await refusal { _ = try await accounts.signIn(accounts.operations(), from: known) } == .twoFactorRequired)
        #expect(
            await refusal {
                _ = try await operations.createAPIKey(
                    NewAPIKey(user: "", name: "x"), of: try accounts.principal(second), from: known)
            } == .twoFactorRequired)
        accounts.test.clock.advance(.seconds(30 * 86_400))
        #expect(await refusal { _ = try await accounts.signIn(operations, from: known) } == .twoFactorRequired)
    }

    @Test func aDeviceIsTrustedNoMoreWhenItsSessionIsEndedFromElsewhere() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.trustsDevicesFor = .seconds(30 * 86_400) }
        let (authenticator, _, elsewhere) = try await accounts.enrolled(operations)
        var known = client
        func trust() async throws -> SignedIn {
            accounts.test.clock.advance(.seconds(90))
            let signedIn = try await operations.finishSignIn(
                try await accounts.partial(operations, from: known), code: try authenticator.code(at: accounts.now),
                trustsDevice: true, from: known)
            known.deviceToken = signedIn.deviceToken ?? known.deviceToken
            return signedIn
        }
        let lost = try await trust()
        // Who signs out there comes back as they like.
        let again = try await accounts.signIn(operations, from: known)
        try await operations.revokeSession(again.session, of: try accounts.principal(again), from: known)
        _ = try await accounts.signIn(operations, from: known)
        try await operations.revokeSession(lost.session, of: elsewhere, from: TestAccounts.outsider)
        #expect(await refusal { _ = try await accounts.signIn(operations, from: known) } == .twoFactorRequired)
        // Likewise by the operator.
        let next = try await trust()
        _ = try await accounts.signIn(operations, from: known)
        _ = try accounts.store.revokeSession(next.session, by: TestStore.cli)
        #expect(await refusal { _ = try await accounts.signIn(operations, from: known) } == .twoFactorRequired)
    }

    @Test func lesson25_whatProtectsTheAccountWantsARecentProof() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let key = try await operations.createAPIKey(NewAPIKey(user: "", name: "x"), of: principal, from: client)
        accounts.test.clock.advance(.seconds(601))
        #expect(
            await refusal {
                _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
            } == .reauthenticationRequired)
        #expect(
            await refusal {
                _ = try await operations.createAPIKey(NewAPIKey(user: "", name: "y"), of: principal, from: client)
            } == .reauthenticationRequired)
        #expect(
            await refusal {
                _ = try await operations.rotateAPIKey(key.key.id, of: principal, from: client)
            } == .reauthenticationRequired)
        try await operations.revokeAPIKey(key.key.id, of: principal, from: client)
        _ = try await operations.reauthenticate(
            principal, password: TestAccounts.secret(TestAccounts.password), from: client)
        _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
    }

    @Test func aDeletedAccountLeavesNothing() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (_, _, principal) = try await accounts.enrolled(operations)
        _ = try accounts.store.deleteUser("ada@example.com", by: TestStore.cli)
        let isGone = try accounts.store.read { transaction in
            let totp = try Tables.totp.get(principal.userID, in: transaction)
            return try totp == nil && Tables.backupCodes.get(principal.userID, in: transaction) == nil
        }
        #expect(isGone)
    }
}
