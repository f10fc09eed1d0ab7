import Core
import Testing

@testable import Accounts

/// Every way on which somebody can try a password of an account.
@Suite struct PasswordWaysTests {
    enum Way: CaseIterable {
        case page, api, reauthenticate, change
    }

    private static let wrong = TestAccounts.secret("another password entirely")
    private static let right = TestAccounts.secret(TestAccounts.password)

    private struct Scene {
        let operations: AccountOperations
        let principal: Principal

        /// What a try comes to; nil: the password was right.
        func attempt(_ way: Way, _ password: SecretBytes) async -> AccountsError.Code? {
            await refusal {
                switch way {
                case .page:
                    _ = try await operations.signIn(
                        "Ada@Example.com", password: password, as: TestAccounts.page, from: TestAccounts.outsider)
                case .api:
                    _ = try await operations.signIn(
                        "ada@example.com", password: password, as: .api, from: TestAccounts.outsider)
                case .reauthenticate:
                    _ = try await operations.reauthenticate(principal, password: password, from: TestAccounts.outsider)
                case .change:
                    _ = try await operations.changePassword(
                        of: principal, current: password, to: PasswordWaysTests.right, from: TestAccounts.outsider)
                }
            }
        }
    }

    private func scene() async throws -> (accounts: TestAccounts, scene: Scene) {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        // Somebody who has got hold of an open session and wants to know its password.
        let principal = try accounts.principal(try await accounts.signIn(operations))
        return (accounts, Scene(operations: operations, principal: principal))
    }

    @Test(arguments: Way.allCases) func lesson72_noWayToAPasswordIsBesideTheLock(_ way: Way) async throws {
        let (accounts, scene) = try await scene()
        for _ in 0..<5 { #expect(await scene.attempt(way, Self.wrong) == .invalidCredentials) }
        for other in Way.allCases {
            #expect(await scene.attempt(other, Self.right) == .accountLocked, "\(way), then \(other)")
        }
        #expect(try accounts.test.events(AuditFilter(type: "account_locked")).count == 1)
        #expect(try accounts.mails().filter { $0.template == "account_locked" }.count == 1)
    }

    @Test func lesson72_theWaysShareOneCount() async throws {
        let (accounts, scene) = try await scene()
        for way in Way.allCases { #expect(await scene.attempt(way, Self.wrong) == .invalidCredentials) }
        #expect(await scene.attempt(.reauthenticate, Self.wrong) == .invalidCredentials)
        for way in Way.allCases { #expect(await scene.attempt(way, Self.right) == .accountLocked, "\(way)") }
        #expect(try accounts.test.events(AuditFilter(type: "account_locked")).count == 1)
    }
}
