import Core
import Testing

@testable import Accounts

/// A new password by who has a second factor.
@Suite struct PasswordChangeTests {
    private let right = TestAccounts.secret(TestAccounts.password)
    private let new = TestAccounts.secret("a quite different passphrase")

    private func change(
        _ operations: AccountOperations, _ principal: Principal, from current: SecretBytes
    ) async -> AccountsError.Code? {
        await refusal {
            _ = try await operations.changePassword(
                of: principal, current: current, to: new, from: TestAccounts.client)
        }
    }

    @Test func aSessionOfOneFactorChangesNothingWhereThereAreTwo() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        // Begun before there was a factor, by whoever knew the password.
        let thief = try accounts.principal(try await accounts.signIn(operations, from: TestAccounts.outsider))
        let owner = try accounts.principal(try await accounts.signIn(operations))
        let setUp = try await operations.setUpTOTP(owner, showsCodes: true, from: TestAccounts.client)
        let authenticator = try Authenticator(setUp.secret)
        _ = try await operations.confirmTOTP(
            owner, code: try authenticator.code(at: accounts.now), from: TestAccounts.client)
        for _ in 0..<10 { #expect(await change(operations, thief, from: right) == .twoFactorRequired) }
        #expect(await change(operations, thief, from: new) == .twoFactorRequired, "nor is it told what was right")
        #expect(try operations.sessions(of: owner).count == 2)
        // The second factor was proved too long ago; the password is in the request.
        accounts.test.clock.advance(.seconds(660))
        #expect(await change(operations, owner, from: right) == .reauthenticationRequired)
        _ = try await operations.reauthenticate(
            owner, code: try authenticator.code(at: accounts.now), from: TestAccounts.client)
        #expect(await change(operations, owner, from: right) == nil)
        #expect(try operations.sessions(of: owner).count == 1)
    }

    @Test func withoutASecondFactorThePasswordItselfIsTheProof() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        try accounts.addPerson()
        let owner = try accounts.principal(try await accounts.signIn(operations))
        accounts.test.clock.advance(.seconds(3600))
        #expect(await change(operations, owner, from: right) == nil)
    }
}
