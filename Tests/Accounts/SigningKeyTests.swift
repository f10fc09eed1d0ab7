import Core
import Cryptography
import JOSE
import LMDB
import Testing

@testable import Accounts

@Suite struct SigningKeyTests {
    private func states(_ store: Store, _ purpose: SigningPurpose) throws -> [SigningKey.State] {
        try store.signingKeys().filter { $0.purpose == purpose }.map(\.state)
    }

    /// One start with a clock that is years ahead makes keys for then, and is no reason to sign with old ones until then.
    @Test(arguments: [false, true])
    func keysOfAWrongClockHoldNothingUp(_ isFirst: Bool) throws {
        let test = try TestStore()
        if !isFirst { try test.store.maintainSigningKeys() }
        let years = Duration.seconds(14 * 365 * 86_400)
        test.clock.advance(years)
        try test.store.maintainSigningKeys()
        test.clock.advance(.zero - years)
        for _ in 0..<100 {
            try test.store.maintainSigningKeys()
            test.clock.advance(.seconds(86_400))
        }
        let now = test.now
        let signing = try test.store.signingKeys().filter { $0.purpose == .access && $0.state == .current }
        #expect(signing.count == 1)
        #expect(signing.allSatisfy { $0.activeFrom <= now && now - $0.activeFrom <= .seconds(31 * 86_400) })
    }

    @Test func aLifeOfKeys() throws {
        let test = try TestStore()
        try test.addUser()
        #expect(try test.store.maintainSigningKeys())
        #expect(try !test.store.maintainSigningKeys())
        #expect(try states(test.store, .access) == [.current])
        test.clock.advance(.seconds(29 * 86_400 - 1))
        #expect(try !test.store.maintainSigningKeys())
        test.clock.advance(.seconds(1))
        #expect(try test.store.maintainSigningKeys())
        #expect(try states(test.store, .assertion) == [.current, .next])
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(86_400), by: TestStore.cli)
        test.clock.advance(.seconds(86_400 - 1))
        #expect(try !test.store.maintainSigningKeys())
        #expect(try states(test.store, .access) == [.current, .next])
        let late = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(3600), by: TestStore.cli)
        test.clock.advance(.seconds(1))
        #expect(try states(test.store, .access) == [.old, .current])
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(late.accessToken, .bearer, at: test.now).identity != nil)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .credentialExpired)
        // Assertions of the old key ended after five minutes, its access token after an hour.
        test.clock.advance(.seconds(300 + 120))
        #expect(try test.store.maintainSigningKeys())
        #expect(try states(test.store, .assertion) == [.current])
        #expect(try states(test.store, .access) == [.old, .current])
        #expect(reader.read(late.accessToken, .bearer, at: test.now).identity != nil)
        test.clock.advance(.seconds(3600))
        #expect(try test.store.maintainSigningKeys())
        #expect(try states(test.store, .access) == [.current])
    }

    @Test func aServerThatSleptMakesANextKeyAllTheSame() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        test.clock.advance(.seconds(90 * 86_400))
        #expect(try test.store.maintainSigningKeys())
        let next = try #require(try test.store.signingKeys().first { $0.state == .next })
        #expect(next.activeFrom == test.now + .seconds(86_400))
    }

    @Test func aClockThatIsSetBackLeavesAKeyThatSigns() throws {
        let test = try TestStore()
        let store = test.store
        try store.maintainSigningKeys()
        _ = try store.rotateSigningKeys(by: TestStore.cli)
        let before = try store.signingKeys()
        test.clock.advance(.seconds(-7200))
        #expect(try store.signingKeys() == before)
        #expect(try !store.maintainSigningKeys())
        try test.addUser()
        let token = try store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(60), by: TestStore.cli)
        let reader = try AccountReader(store: store)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).identity?.user == "ada@example.com")
        // Ended, it does not come back, whatever the time is.
        for key in before where key.state == .current {
            _ = try store.retireSigningKey(key.kid, by: TestStore.cli)
        }
        #expect(try store.signingKeys().map(\.state) == [.current, .current])
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason != nil)
    }

    @Test func rotateAndRetire() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        let made = try test.store.rotateSigningKeys(purpose: .assertion, by: TestStore.cli)
        #expect(made.map(\.state) == [.next] && made.map(\.activeFrom) == [test.now + .seconds(86_400)])
        #expect(throws: AccountsError(.refused, "")) {
            try test.store.rotateSigningKeys(purpose: .assertion, by: TestStore.cli)
        }
        let current = try #require(
            try test.store.signingKeys().first { $0.purpose == .assertion && $0.state == .current })
        #expect(try test.store.retireSigningKey(current.kid, by: TestStore.cli).kid == current.kid)
        #expect(try test.store.signingKeys().filter { $0.purpose == .assertion }.map(\.kid) == made.map(\.kid))
        #expect(try states(test.store, .assertion) == [.current])
        #expect(throws: AccountsError(.notFound, "")) {
            try test.store.retireSigningKey(current.kid, by: TestStore.cli)
        }
    }

    @Test func theKeySetHoldsTheAssertionKeysOnly() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        _ = try test.store.rotateSigningKeys(by: TestStore.cli)
        let published = try test.store.publicKeySet()
        let set = try JWKSet(fetched: published.span)
        let wanted = try test.store.signingKeys().filter { $0.purpose == .assertion }.map(\.kid)
        #expect(Set(set.keys.map(\.keyID)) == Set(wanted) && wanted.count == 2)
        let text = String(decoding: try test.store.publicKeySet(), as: UTF8.self)
        #expect(!text.contains("\"d\""))
        #expect(!(try test.store.signingKeys()).map(\.jsonLine).joined().contains("sealed"))
    }

    @Test func aPreviousMasterKeyStillOpens() throws {
        let test = try TestStore(masterKey: 7)
        try test.store.maintainSigningKeys()
        try test.addUser()
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        try test.reopen(masterKey: 8, previous: [7])
        #expect(try AccountReader(store: test.store).read(token.accessToken, .bearer, at: test.now).identity != nil)
        #expect(
            try test.store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(9), by: TestStore.cli)
                .expiresIn == 9)
        #expect(try test.store.verifyAudit().problem == nil)
        try test.reopen(masterKey: 9)
        #expect(throws: AccountsError(.wrongMasterKey, "")) {
            try test.store.issueAccessToken(user: "ada@example.com", lifetime: .seconds(9), by: TestStore.cli)
        }
    }

    @Test func aSealOpensOnlyInItsPlace() throws {
        let keys = try MasterKeys(current: TestStore.key(1))
        let sealed = try keys.seal([1, 2, 3], in: .signingKey, key: "a")
        #expect(try keys.open(sealed, in: .signingKey, key: "a").withUnsafeBytes { Array($0) } == [1, 2, 3])
        for (field, key) in [(SealedField.totpSecret, "a"), (.mailLink, "a"), (.signingKey, "b"), (.signingKey, "")] {
            #expect(throws: AccountsError(.damaged, "")) { try keys.open(sealed, in: field, key: key) }
        }
        #expect(throws: AccountsError(.wrongMasterKey, "")) {
            try MasterKeys(current: TestStore.key(2)).open(sealed, in: .signingKey, key: "a")
        }
        #expect(throws: AccountsError(.invalid, "")) { try MasterKeys(current: SecretBytes(copying: [1])) }
        let text = MasterKeys.text(of: TestStore.key(3))
        #expect(try MasterKeys.parse(Array("  \(text)\n".utf8)).count == 32)
        for bad in ["", "AAAA", "not base64!", text + text] {
            #expect(throws: AccountsError(.invalid, "")) { try MasterKeys.parse(Array(bad.utf8)) }
        }
    }
}
