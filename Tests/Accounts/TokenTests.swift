import Core
import Cryptography
import JOSE
import LMDB
import Testing

@testable import Accounts

@Suite struct TokenTests {
    private func ready() throws -> (TestStore, AccountReader) {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        return (test, try AccountReader(store: test.store))
    }

    private func payload(_ test: TestStore, _ changes: [String: String?] = [:]) -> [UInt8] {
        var members: [String: String?] = [
            "iss": TestStore.publicURL, "aud": TestStore.publicURL, "sub": "usr_x", "jti": "ses_x",
        ]
        members.merge(changes) { $1 }
        var writer = JSONWriter()
        for (name, value) in members.sorted(by: { $0.key < $1.key }) { writer.member(name, value) }
        writer.member("exp", (test.now + .seconds(600)).seconds)
        return writer.finish()
    }

    private func signer(_ test: TestStore, _ purpose: SigningPurpose) throws -> TokenSigner {
        try test.store.read { transaction in
            var ring = try SigningKeyRing(purpose, store: test.store, in: transaction)
            return try ring.signer(test.store, at: test.now)
        }
    }

    @Test func aTokenIsItsSession() throws {
        let (test, reader) = try ready()
        let issued = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        #expect(issued.expiresIn == 900)
        let identity = try #require(reader.read(issued.accessToken, .bearer, at: test.now).identity)
        #expect(identity.kind == .session && identity.session == issued.session && identity.factors == 0)
        #expect(identity.credentialID == issued.session && identity.scopes == nil && identity.amr == [])
        #expect(try test.store.sessions(user: "ada@example.com").map(\.id) == [issued.session])
        let token = try UnverifiedToken(Array(issued.accessToken.utf8).span)
        #expect(token.type == "at+jwt" && token.claims.audiences == [TestStore.publicURL])
        #expect(token.claims.tokenID == issued.session)
        // Only a bearer is looked at.
        #expect(reader.read(issued.accessToken, .keyHeader, at: test.now).isNotMine)
        #expect(!(issued as Any is any Encodable))
        for lifetime in [Duration.zero, .seconds(-1), .seconds(86_401)] {
            #expect(throws: AccountsError(.invalid, "")) {
                try test.store.issueAccessToken(user: "ada@example.com", lifetime: lifetime, by: TestStore.cli)
            }
        }
    }

    @Test func lesson49_79_85_onlyAGoodAccessTokenOfOursPasses() throws {
        let (test, reader) = try ready()
        let issued = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let sub = try test.store.user("ada@example.com").id
        let good: [String: String?] = ["sub": sub, "jti": issued.session]
        let access = try signer(test, .access)
        func read(_ bytes: [UInt8]) -> CredentialReading {
            reader.read(String(decoding: bytes, as: UTF8.self), .bearer, at: test.now)
        }
        #expect(read(try access.sign(payload(test, good), type: "at+jwt")).identity != nil)
        #expect(read(try access.sign(payload(test, good), type: "JWT")).reason == .credentialUnknown)
        #expect(read(try access.sign(payload(test, good), type: nil)).reason == .credentialUnknown)
        for changes: [String: String?] in [
            ["aud": "wiki"], ["aud": nil], ["sub": "usr_other"], ["sub": nil], ["jti": nil], ["jti": "ses_none"],
        ] {
            let bytes = try access.sign(payload(test, good.merging(changes) { $1 }), type: "at+jwt")
            #expect(read(bytes).reason != nil)
        }
        // The assertion's key, another key under the same name, none at all.
        let assertion = try signer(test, .assertion)
        #expect(read(try assertion.sign(payload(test, good), type: "at+jwt")).reason == .credentialUnknown)
        let forger = try TokenSigner(key: PrivateKey.generate(.p256), keyID: access.keyID, algorithm: .es256)
        #expect(read(try forger.sign(payload(test, good), type: "at+jwt")).reason == .credentialUnknown)
        let header = Base64URL.encode(Array(#"{"alg":"none","typ":"at+jwt"}"#.utf8))
        let none = header + "." + Base64URL.encode(payload(test, good)) + "."
        #expect(reader.read(none, .bearer, at: test.now).reason == .credentialUnknown)
        // Another issuer's is not ours to judge.
        let foreign = try access.sign(payload(test, ["iss": "https://idp.example.com"]), type: "at+jwt")
        #expect(read(foreign).isNotMine)
        #expect(read(foreign).isNotMine)
        for text in ["eyJ", "eyJ.eyJ.x", "eyJhbGciOiJFUzI1NiJ9..", String(repeating: "eyJ", count: 5000)] {
            #expect(reader.read(text, .bearer, at: test.now).isNotMine)
        }
    }

    /// What no parser of ours takes for a token may be one for an app: it is ours all the same, and nobody's identity.
    @Test func lesson85_aTokenOfOursThatCannotBeReadIsRefusedAndNotTheApps() throws {
        let (test, reader) = try ready()
        let text = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli
        ).accessToken
        let parts = text.split(separator: ".").map(String.init)
        let twice = Base64URL.encode(Array(#"{"iss":"https://auth.example.com","iss":"x","sub":"a"}"#.utf8))
        let spaced = Base64URL.encode(Array("{ \n\"alg\":\"ES256\"}".utf8))
        for forged in [
            "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])", text + "=", text + ".", text + ",", text + " x",
            "x " + text, "\(parts[0]).\(twice).\(parts[2])", "\(spaced).\(parts[1]).\(parts[2])",
            "\(parts[0])=.\(parts[1]).\(parts[2])", text + String(repeating: "A", count: 9000),
        ] {
            for _ in 0..<2 {
                #expect(reader.read(forged, .bearer, at: test.now).reason == .credentialUnknown, "\(forged)")
            }
        }
        #expect(reader.read(text, .bearer, at: test.now).identity != nil)
    }

    @Test func lesson44_anAssertionOfOursIsNoCredential() throws {
        let (test, reader) = try ready()
        let key = try test.addKey()
        let identity = try #require(reader.read(key.secret, at: test.now).identity)
        let signer = try StoredAssertionSigner(store: test.store)
        for audience in ["wiki", TestStore.publicURL] {
            let assertion = try signer.assertion(
                for: identity, audience: audience, groups: ["staff"], groupsTruncated: false, at: test.now)
            let text = String(decoding: assertion, as: UTF8.self)
            #expect(reader.read(text, .bearer, at: test.now).reason == .credentialUnknown)
        }
    }

    @Test func aRaisedEpochOrARetiredKeyEndsTokens() throws {
        let (test, reader) = try ready()
        let issued = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let other = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        #expect(reader.read(issued.accessToken, .bearer, at: test.now).identity != nil)
        #expect(reader.read(other.accessToken, .bearer, at: test.now).identity != nil)
        let current = try #require(
            try test.store.signingKeys().first { $0.purpose == .access && $0.state == .current })
        _ = try test.store.retireSigningKey(current.kid, by: TestStore.cli)
        #expect(reader.read(issued.accessToken, .bearer, at: test.now).reason == .credentialUnknown)
        let fresh = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        #expect(reader.read(fresh.accessToken, .bearer, at: test.now).identity != nil)
        let id = try test.store.user("ada@example.com").id
        try test.tamper { transaction in
            guard var user = try Tables.users.get(id, in: transaction) else { return }
            user.epoch += 1
            try Tables.users.put(user, for: id, in: transaction)
        }
        #expect(reader.read(fresh.accessToken, .bearer, at: test.now).reason == .credentialRevoked)
        let key = try test.addKey()
        #expect(reader.read(key.secret, at: test.now).identity != nil)
    }

    @Test func withoutTheMasterKeyNothingIsSigned() throws {
        let test = try TestStore(masterKey: nil)
        try test.addUser()
        #expect(throws: AccountsError(.noMasterKey, "")) { try test.store.maintainSigningKeys() }
        #expect(throws: AccountsError(.noMasterKey, "")) { try StoredAssertionSigner(store: test.store) }
        #expect(throws: AccountsError.self) {
            try test.store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(60), by: TestStore.cli)
        }
    }
}
