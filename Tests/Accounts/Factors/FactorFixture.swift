import Core
import Cryptography
import Testing

@testable import Accounts

/// An authenticator that somebody holds in their hand.
struct Authenticator {
    private let password: OneTimePassword

    /// - Parameter secret: in base 32, as it was shown.
    init(_ secret: String) throws {
        password = try OneTimePassword(secret: SecretBytes(copying: try #require(Base32.decode(secret))))
    }

    func code(at now: Timestamp, steps: Int64 = 0) throws -> String {
        try password.code(step: password.step(at: now) + steps)
    }

    /// A code that is none of this or the neighbouring steps.
    func wrongCode(at now: Timestamp) throws -> String {
        let right = try (Int64(-2)...2).map { try code(at: now, steps: $0) }
        return try #require(
            (0..<1000).lazy.map { String(repeating: "0", count: 6 - "\($0)".count) + "\($0)" }
                .first { !right.contains($0) })
    }
}

extension TestAccounts {
    static let page = SignInFace.page(remember: false)

    /// A sign-in by password alone.
    func signIn(
        _ operations: AccountOperations, code: String? = nil, as face: SignInFace = TestAccounts.page,
        from client: Client = TestAccounts.client
    ) async throws -> SignedIn {
        try await operations.signIn(
            "ada@example.com", password: Self.secret(Self.password), code: code, as: face, from: client)
    }

    func principal(_ signedIn: SignedIn) throws -> Principal {
        let usesCookie = signedIn.secrets != nil
        return Principal(userID: signedIn.user.id, session: signedIn.session, usesCookie: usesCookie)
    }

    /// Ada with an authenticator that was proved, some steps ago.
    func enrolled(
        _ operations: AccountOperations
    ) async throws -> (authenticator: Authenticator, codes: [String], principal: Principal) {
        try addPerson()
        let principal = try principal(try await signIn(operations))
        let setUp = try await operations.setUpTOTP(principal, showsCodes: true, from: Self.client)
        let authenticator = try Authenticator(setUp.secret)
        _ = try await operations.confirmTOTP(principal, code: try authenticator.code(at: now), from: Self.client)
        test.clock.advance(.seconds(120))
        try emptyOutbox()
        return (authenticator, setUp.backupCodes, principal)
    }

    /// The half of a sign-in that the right password brings.
    func partial(_ operations: AccountOperations, from client: Client = TestAccounts.client) async throws
        -> PartialSignIn
    {
        do {
            _ = try await signIn(operations, from: client)
        } catch let error as AccountsError {
            #expect(error.code == .twoFactorRequired)
            return try #require(error.partial)
        }
        Issue.record("the password alone signs in")
        throw AccountsError(.invalid, "no partial sign-in")
    }
}
