import Core
import LMDB
import Testing

@testable import Accounts

/// Whoever guesses below the limit that locks.
@Suite struct WrongCodeTests {
    private let elsewhere = TestAccounts.outsider

    private func told(_ accounts: TestAccounts) throws -> Int {
        try accounts.mails().filter { $0.template == "wrong_codes" }.count
    }

    @Test func slowGuessingIsToldOnceADayAndNotLocked() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        var days = 0
        // Each half an hour later than the one before, so that nothing adds up to a lock.
        for guess in 1...150 {
            let wrong = try authenticator.wrongCode(at: accounts.now)
            let code = await refusal {
                _ = try await accounts.signIn(operations, code: wrong, as: .api, from: elsewhere)
            }
            #expect(code == .invalidCredentials)
            if guess < 3 { #expect(try told(accounts) == 0) }
            if guess == 3 { #expect(try told(accounts) == 1) }
            accounts.test.clock.advance(.seconds(1801))
            days = guess * 1801 / 86_400
        }
        #expect(days == 3)
        #expect(try (3...4).contains(told(accounts)))
        #expect(try !accounts.mails().contains { $0.template == "codes_locked" })
    }

    @Test func theOwnerComingAndGoingHidesNoGuesser() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        for _ in 0..<3 {
            let wrong = try authenticator.wrongCode(at: accounts.now)
            #expect(
                await refusal { _ = try await accounts.signIn(operations, code: wrong, as: .api, from: elsewhere) }
                    == .invalidCredentials)
            accounts.test.clock.advance(.seconds(60))
            _ = try await accounts.signIn(operations, code: try authenticator.code(at: accounts.now), as: .api)
            accounts.test.clock.advance(.seconds(60))
        }
        #expect(try told(accounts) == 1)
    }

    @Test func whoMistypesAndThenGetsItRightIsNotTold() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        for _ in 0..<4 {
            for _ in 0..<2 {
                let wrong = try authenticator.wrongCode(at: accounts.now)
                #expect(await refusal { _ = try await accounts.signIn(operations, code: wrong, as: .api) } != nil)
            }
            _ = try await accounts.signIn(operations, code: try authenticator.code(at: accounts.now), as: .api)
            accounts.test.clock.advance(.seconds(60))
        }
        #expect(try told(accounts) == 0)
    }

    @Test func theFirstCodeOfASetUpIsNoGuess() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.lockout = LockoutPolicy(failures: 100) }
        try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let setUp = try await operations.setUpTOTP(principal, showsCodes: false, from: elsewhere)
        let wrong = try Authenticator(setUp.secret).wrongCode(at: accounts.now)
        for _ in 0..<5 {
            #expect(
                await refusal { _ = try await operations.confirmTOTP(principal, code: wrong, from: elsewhere) }
                    == .invalidCode)
        }
        #expect(try told(accounts) == 0)
    }

    @Test func lesson13_lesson14_noSpellingGivesNewTriesOfCodes() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        _ = try accounts.store.renameUser("ada@example.com", to: "ada", by: TestStore.cli)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        var outcomes: [AccountsError.Code?] = []
        for name in ["ada", "ADA", "ada@example.com", "Ada@Example.COM", " ada ", "aDa", "ada@EXAMPLE.com", "Ada"] {
            outcomes.append(
                await refusal {
                    _ = try await operations.signIn(
                        name, password: TestAccounts.secret(TestAccounts.password), code: wrong, as: .api,
                        from: elsewhere)
                })
        }
        #expect(outcomes.filter { $0 == .accountLocked }.count >= 2, "\(outcomes)")
        #expect(outcomes.last == .accountLocked)
    }

    @Test func aWrongPasswordIsNoWordAboutCodes() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations { $0.lockout = LockoutPolicy(failures: 100) }
        let (authenticator, _, _) = try await accounts.enrolled(operations)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        for _ in 0..<10 {
            _ = await refusal {
                _ = try await operations.signIn(
                    "ada@example.com", password: TestAccounts.secret("not it"), code: wrong, as: .api, from: elsewhere)
            }
        }
        #expect(try told(accounts) == 0)
    }

    @Test func neitherTheCountNorTheMailIsThereWithoutTheRefusal() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let (authenticator, _, principal) = try await accounts.enrolled(operations)
        let wrong = try authenticator.wrongCode(at: accounts.now)
        for _ in 0..<3 {
            let before = try accounts.lastTransaction
            #expect(
                await refusal { _ = try await operations.reauthenticate(principal, code: wrong, from: elsewhere) }
                    == .invalidCode)
            #expect(try accounts.lastTransaction == before + 1)
        }
        #expect(try told(accounts) == 1)
    }
}
