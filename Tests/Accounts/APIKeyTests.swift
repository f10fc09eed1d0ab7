import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct APIKeyTests {
    @Test func theTextHasItsForm() throws {
        let test = try TestStore()
        try test.addUser()
        let issued = try test.addKey()
        let text = Array(issued.secret.utf8)
        #expect(text.count == 54 && issued.secret.hasPrefix("gate_"))
        #expect(issued.key.prefix == String(issued.secret.prefix(12)))
        let isWellFormed = APIKeyText.isWellFormed(text.span)
        #expect(isWellFormed)
    }

    // CRC-32 of the 48 characters by zlib, in base 62 (digits, upper case, lower case) with six digits.
    @Test(arguments: [
        ("gate_" + String(repeating: "0", count: 43), "26bztb"),
        ("gate_" + String(repeating: "A", count: 43), "08QEZ8"),
        ("gate_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg", "2xg9Ue"),
    ])
    func checksumVectors(body: String, checksum: String) {
        let made = APIKeyText.make(random: Array(body.utf8.dropFirst(5)))
        #expect(String(decoding: made, as: UTF8.self) == body + checksum)
    }

    @Test func everyTypingErrorIsFoundWithoutALookUp() throws {
        let test = try TestStore()
        try test.addUser()
        let text = Array(try test.addKey().secret.utf8)
        let reader = try AccountReader(store: test.store)
        for index in 5..<text.count {
            var wrong = text
            wrong[index] = wrong[index] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
            let isWellFormed = APIKeyText.isWellFormed(wrong.span)
            #expect(!isWellFormed)
            #expect(reader.read(String(decoding: wrong, as: UTF8.self), at: test.now).reason == .credentialUnknown)
        }
        for wrong in ["gate_", "gate_x", String(decoding: text + [0x30], as: UTF8.self), "gate_" + "é"] {
            #expect(reader.read(wrong, at: test.now).reason == .credentialUnknown)
        }
        #expect(reader.decodes == 0)
    }

    @Test func onlyTheDigestIsStored() throws {
        let test = try TestStore()
        try test.addUser()
        let secret = try test.addKey().secret
        let digest = SHA256.digest(secret).bytes
        let rows = try test.store.read { transaction in
            var rows: [[UInt8]] = []
            try Tables.apiKeys.forEach(in: transaction) { key, _, raw in
                #expect(key == digest)
                rows.append(Array(raw))
                return true
            }
            try Tables.audit.forEach(in: transaction) { _, stored, _ in
                rows.append(stored.bytes)
                return true
            }
            return rows
        }
        let text = Array(secret.utf8.dropFirst(12))
        for row in rows { #expect(!row.contains(text)) }
    }

    @Test func lesson32_aKeyIsInNoAnswer() throws {
        let test = try TestStore()
        try test.addUser()
        let issued = try test.addKey(scopes: ["wiki:read"])
        let shown = try test.store.apiKeys().map(\.jsonLine) + [issued.key.jsonLine]
        for line in shown {
            #expect(!line.contains(issued.secret.dropFirst(12)))
            #expect(line.contains("\"key_prefix\":\"\(issued.secret.prefix(12))\""))
        }
        #expect(!((issued as Any) is any Encodable))
    }

    @Test func lesson62_charactersAreUnbiasedAndFromTheSystem() throws {
        var counts = [UInt8: Int]()
        let random = SeededRandom(seed: 42)
        for byte in try random.base62(62_000) { counts[byte, default: 0] += 1 }
        #expect(counts.count == 62)
        // A modulus without rejection would give the first eight characters a quarter more.
        for (_, count) in counts { #expect((850...1150).contains(count)) }
        let first = try SystemRandom().bytes(32)
        #expect(try SystemRandom().bytes(32) != first)
    }

    @Test func boundsAreChecked() throws {
        let test = try TestStore()
        try test.addUser()
        func make(_ key: NewAPIKey, _ policy: KeyPolicy = KeyPolicy()) throws -> APIKey {
            try test.store.createAPIKey(key, policy: policy, by: TestStore.cli).key
        }
        let user = "ada@example.com"
        #expect(throws: AccountsError(.invalid, "")) { try make(NewAPIKey(user: user, name: "")) }
        #expect(throws: AccountsError(.invalid, "")) { try make(NewAPIKey(user: user, name: "x", scopes: ["a b"])) }
        #expect(throws: AccountsError(.invalid, "")) { try make(NewAPIKey(user: user, name: "x", scopes: [])) }
        #expect(throws: AccountsError(.invalid, "")) { try make(NewAPIKey(user: user, name: "x", methods: ["G T"])) }
        #expect(throws: AccountsError(.invalid, "")) {
            try make(NewAPIKey(user: user, name: "x", lifetime: .seconds(366 * 86_400)))
        }
        #expect(throws: AccountsError(.invalid, "")) { try make(NewAPIKey(user: user, name: "x", lifetime: .zero)) }
        #expect(throws: AccountsError(.invalid, "")) {
            try make(NewAPIKey(user: user, name: "x"), KeyPolicy(requireRoutes: true))
        }
        #expect(throws: AccountsError(.notFound, "")) { try make(NewAPIKey(user: "nobody", name: "x")) }
        let network = try #require(Network("10.0.0.0/8"))
        let key = try make(
            NewAPIKey(user: user, name: "x", scopes: ["a"], routes: ["wiki"], networks: [network], methods: ["get"]))
        #expect(key.expiresAt == test.now + .seconds(90 * 86_400))
        #expect(key.methods == ["GET"] && key.networks == ["10.0.0.0/8"])
        let identity = try #require(try test.store.identity(ofAPIKey: key.id).identity)
        #expect(identity.bounds == KeyBounds(routes: ["wiki"], networks: [network], methods: ["GET"]))
        #expect(identity.scopes == ["a"] && identity.factors == 0)
    }

    @Test func rotationOverlaps() throws {
        let test = try TestStore()
        try test.addUser()
        let old = try test.addKey(scopes: ["a"], lifetime: .seconds(30 * 86_400))
        let new = try test.store.rotateAPIKey(old.key.id, overlap: .seconds(3600), by: TestStore.cli)
        #expect(new.key.scopes == ["a"] && new.key.expiresAt == test.now + .seconds(30 * 86_400))
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(old.secret, at: test.now).identity != nil)
        #expect(reader.read(new.secret, at: test.now).identity != nil)
        test.clock.advance(.seconds(3600))
        #expect(reader.read(old.secret, at: test.now).reason == .credentialExpired)
        #expect(reader.read(new.secret, at: test.now).identity != nil)
        #expect(throws: AccountsError(.refused, "")) {
            try test.store.rotateAPIKey(old.key.id, by: TestStore.cli)
        }
        #expect(try test.store.apiKey(old.key.id).rotatedTo == new.key.id)
    }

    @Test func aKeyThatCouldNotBeMadeNowIsNotRotated() throws {
        let test = try TestStore()
        try test.addUser()
        let key = try test.addKey().key
        let policy = KeyPolicy(requireRoutes: true)
        #expect(throws: AccountsError(.refused, "")) {
            try test.store.rotateAPIKey(key.id, policy: policy, by: TestStore.cli)
        }
        #expect(try test.store.apiKey(key.id).rotatedTo == nil)
        let bound = try test.store.createAPIKey(
            NewAPIKey(user: "ada@example.com", name: "x", routes: ["wiki"]), policy: policy, by: TestStore.cli)
        #expect(try test.store.rotateAPIKey(bound.key.id, policy: policy, by: TestStore.cli).key.routes == ["wiki"])
    }

    @Test func listsNarrow() throws {
        let test = try TestStore()
        try test.addUser()
        try test.addUser("bob@example.com")
        let soon = try test.addKey(lifetime: .seconds(86_400)).key
        let later = try test.addKey("bob@example.com", lifetime: .seconds(40 * 86_400)).key
        #expect(try test.store.apiKeys(user: "bob@example.com").map(\.id) == [later.id])
        #expect(try test.store.apiKeys(expiringWithin: .seconds(14 * 86_400)).map(\.id) == [soon.id])
        #expect(try Set(test.store.apiKeys().map(\.id)) == [soon.id, later.id])
        #expect(throws: AccountsError(.notFound, "")) { try test.store.apiKeys(user: "nobody") }
        _ = try test.store.revokeAPIKey(soon.id, by: TestStore.cli)
        _ = try test.store.revokeAPIKey(soon.id, by: TestStore.cli)
        #expect(try test.events(AuditFilter(type: "api_key_revoked")).count == 1)
        #expect(throws: AccountsError(.notFound, "")) { try test.store.revokeAPIKey("key_x", by: TestStore.cli) }
    }

    @Test func importedKeysAreReadLikeOthers() throws {
        let test = try TestStore()
        try test.addUser()
        let texts = try (0..<1200).map { _ in
            String(decoding: APIKeyText.make(random: try test.random.base62(43)), as: UTF8.self)
        }
        func take(_ texts: [String]) throws -> Int {
            try test.store.importAPIKeys(texts, user: "ada@example.com", name: "fleet", by: TestStore.cli)
        }
        #expect(try take(texts) == 1200)
        #expect(try take(Array(texts.prefix(3))) == 0)
        #expect(try test.events(AuditFilter(type: "api_keys_imported")).count == 3)
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(texts[1199], at: test.now).identity?.user == "ada@example.com")
        #expect(throws: AccountsError(.invalid, "")) { try take([texts[0], texts[1] + "x"]) }
        #expect(throws: AccountsError(.notFound, "")) {
            try test.store.importAPIKeys(texts, user: "nobody", name: "fleet", by: TestStore.cli)
        }
        #expect(try test.store.check() == [])
        #expect(try test.store.disableUser("ada@example.com", by: TestStore.cli).apiKeys.count == 1200)
    }

    @Test func serviceAccountsHaveOnlyKeys() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser("bot@example.com", service: true)
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(try test.addKey("bot@example.com").secret, at: test.now).identity != nil)
        #expect(throws: AccountsError(.refused, "")) {
            try test.store.issueAccessToken(user: "bot@example.com", lifetime: .seconds(60), by: TestStore.cli)
        }
    }
}
