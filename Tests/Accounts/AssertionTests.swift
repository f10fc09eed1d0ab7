import Core
import JOSE
import Testing

@testable import Accounts

@Suite struct AssertionTests {
    private let identity = Identity(
        kind: .session, credentialID: "ses_1", subject: "usr_1", user: "ada", email: "ada@example.com", name: "Ada",
        groups: ["a", "b"], amr: ["pwd", "otp"], factors: 2, authenticatedAt: Timestamp(seconds: 1_799_999_000),
        session: "ses_1")

    @Test func theClaimsAreThoseOfTheContract() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        let signer = try StoredAssertionSigner(store: test.store)
        let bytes = try signer.assertion(
            for: identity, audience: "wiki", groups: ["a"], groupsTruncated: true, at: test.now)
        let published = try test.store.publicKeySet()
        let set = try JWKSet(fetched: published.span)
        let token = try UnverifiedToken(bytes.span).verify(with: set, allowed: [.es256])
        try token.require(type: "gatehouse-assertion+jwt")
        try token.validate(now: test.now, issuer: TestStore.publicURL, audiences: ["wiki"], leeway: .zero)
        let claims = token.claims
        #expect(claims.subject == "usr_1")
        #expect(claims.string("user") == "ada")
        #expect(claims.string("email") == "ada@example.com")
        #expect(claims.strings("groups") == ["a"])
        #expect(claims.bool("groups_truncated") == true)
        #expect(claims.strings("amr") == ["pwd", "otp"])
        #expect(claims.integer("auth_time") == 1_799_999_000)
        #expect(claims.string("sid") == "ses_1")
        #expect(claims.integer("exp") == test.now.seconds + 300)
        #expect(claims.integer("iat") == test.now.seconds)
    }

    @Test func oneSignatureInFourMinutes() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        let signer = try StoredAssertionSigner(store: test.store)
        func sign(_ audience: String = "wiki", _ groups: [String] = ["a"], after: Int = 0) throws -> [UInt8] {
            try signer.assertion(
                for: identity, audience: audience, groups: groups, groupsTruncated: false,
                at: test.now + .seconds(after))
        }
        let first = try sign()
        try test.addUser("b@example.com")
        #expect(try sign(after: 239) == first)
        #expect(signer.signatures == 1)
        #expect(try sign(after: 240) != first)
        #expect(signer.signatures == 2)
        // Another audience, and other groups under the same one, are others; both are kept.
        _ = try sign("blog")
        for _ in 0..<3 {
            _ = try sign("shared", ["a"])
            _ = try sign("shared", ["b"])
        }
        #expect(signer.signatures == 5)
    }

    @Test func anIdentityThatEndsSoonerEndsItsAssertion() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        let signer = try StoredAssertionSigner(store: test.store)
        let short = Identity(
            kind: .apiKey, credentialID: "key_1", subject: "usr_1", user: "ada", expiresAt: test.now + .seconds(30))
        let bytes = try signer.assertion(
            for: short, audience: "wiki", groups: [], groupsTruncated: false, at: test.now)
        let claims = try UnverifiedToken(bytes.span).claims
        #expect(claims.integer("exp") == test.now.seconds + 30)
        #expect(claims.value("sid") == nil)
        #expect(claims.value("email") == nil)
        #expect(claims.value("auth_time") == nil)
        #expect(claims.strings("amr") == [])
        #expect(claims.value("groups_truncated") == nil)
    }

    @Test func aRetiredKeySignsNothingMore() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        let signer = try StoredAssertionSigner(store: test.store)
        func kid() throws -> String? {
            let bytes = try signer.assertion(
                for: identity, audience: "wiki", groups: [], groupsTruncated: false, at: test.now)
            return try UnverifiedToken(bytes.span).keyID
        }
        let first = try #require(try kid())
        _ = try test.store.retireSigningKey(first, by: TestStore.cli)
        let second = try #require(try kid())
        #expect(second != first)
        #expect(try test.store.signingKeys().contains { $0.kid == second })
    }
}
