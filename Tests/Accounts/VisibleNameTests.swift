import Core
import Testing

@testable import Accounts

/// What people and strangers call things stands beside our own words, on pages and in tables of the operator.
@Suite struct VisibleNameTests {
    static let hidden = [
        "ad\u{202e}nim", "ad\u{200b}min", "admin\u{2066}", "\u{feff}admin", "ad\u{ad}min", "x\u{2028}y",
    ]

    @Test(arguments: hidden) func namesThatAreNotAllSeenAreRefused(_ name: String) async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: TestAccounts.secret(TestAccounts.password), as: .page(remember: false),
            from: TestAccounts.client)
        let principal = Principal(userID: user.id, session: signedIn.session, usesCookie: true)
        let client = Client(deviceName: name)
        let refusals: [AccountsError.Code?] = [
            await refusal { _ = try await operations.rename(principal, to: name, from: TestAccounts.client) },
            await refusal {
                _ = try await operations.createAPIKey(
                    NewAPIKey(user: user.id, name: name), of: principal, from: TestAccounts.client)
            },
            await refusal {
                try await operations.register("b@example.com", password: nil, name: name, from: TestAccounts.client)
            },
            await refusal {
                _ = try await operations.signIn(
                    "ada@example.com", password: TestAccounts.secret(TestAccounts.password), as: .api, from: client)
            },
        ]
        #expect(refusals == Array(repeating: .invalid, count: 4))
        #expect(throws: AccountsError(.invalid, "")) { try validatedLabel(name, what: "passkey name") }
        #expect(VisibleText.isAll(of: quoted(name)))
    }

    /// Nobody is kept out by what their provider calls them, and no browser by what it calls itself.
    @Test(arguments: hidden) func whatOthersSayIsKeptWithoutWhatIsNotSeen(_ name: String) async throws {
        let scene = try FederationScene()
        let identity = FederatedIdentity(
            provider: "corp", issuer: "https://idp.example", subject: "1", email: EmailAddress("1@example.com"),
            emailIsVerified: true, name: name)
        let signedIn = try await scene.operations.signIn(
            by: identity, FederationTerms(createsUsers: true), as: .page(remember: false), from: scene.client)
        #expect(signedIn.user.name == VisibleText.stripped(name) && !signedIn.user.name.isEmpty)
        let kept = Client(userAgent: name).keptUserAgent
        #expect(kept == VisibleText.masked(name))
    }
}
