import Core
import Cryptography
import LMDB
import Synchronization
import Testing

@testable import Accounts

/// The operations on a store of their own, with hashes that cost nothing.
final class TestAccounts: Sendable {
    // The test's own; closed with it.
    nonisolated(unsafe) let test: TestStore
    let store: Store
    let hasher: PasswordHasher
    let limiter = RateLimiter()

    static let password = "correct horse battery staple"
    static let client = Client(
        address: IPAddress("192.0.2.10"), userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        requestID: "r1")
    static let outsider = Client(address: IPAddress("203.0.113.7"), userAgent: "curl/8.14", requestID: "r2")

    init() throws {
        test = try TestStore()
        store = test.store
        store.setMail(on: true)
        try store.maintainSigningKeys()
        hasher = try PasswordHasher(
            PasswordHasher.Configuration(
                threads: 2, queueLength: 4096, maximumWait: .seconds(60),
                parameters: Argon2Parameters(memoryKiB: 8, passes: 1, lanes: 1)))
    }

    deinit { hasher.stop() }

    var now: Timestamp { test.now }

    func operations(
        _ change: (inout AccountOperations.Configuration) -> Void = { _ in }
    ) -> AccountOperations {
        var configuration = AccountOperations.Configuration()
        configuration.registration = .open
        configuration.magicLinkIsEnabled = true
        // Where limits are not what a test is about.
        let unlimited = RateLimit(count: 1_000_000, per: .seconds(1), burst: 1_000_000)
        configuration.limits = LimitPolicy(signIn: unlimited, mail: unlimited, refresh: unlimited, keys: unlimited)
        change(&configuration)
        return AccountOperations(store: store, hasher: hasher, limiter: limiter, configuration: configuration)
    }

    @discardableResult
    func addPerson(
        _ email: String = "ada@example.com", username: String? = nil, password: String = TestAccounts.password
    ) throws -> User {
        let user = try test.addUser(email, username: username)
        try store.setPassword(
            of: user.id, hash: try hasher.hashAndWait(Self.secret(password)).text, by: TestStore.cli)
        return user
    }

    static func secret(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

    /// The mails that wait, as template and recipient, oldest first.
    func mails() throws -> [(template: String, to: String, link: String?)] {
        let store = store
        let records: [OutboxRecord] = try store.read { transaction in
            var records: [OutboxRecord] = []
            try Tables.outbox.forEach(in: transaction) { _, record, _ in
                records.append(record)
                return true
            }
            return records
        }
        return try records.sorted { $0.createdAt < $1.createdAt }.map { record in
            let link = try record.sealedLink.map { sealed in
                try store.masterKeys().open(sealed, in: .mailLink, key: record.id).withUnsafeBytes {
                    String(decoding: $0, as: UTF8.self)
                }
            }
            return (record.template, record.recipient, link)
        }
    }

    func emptyOutbox() throws {
        try test.tamper { transaction in
            try Tables.outbox.removeAll(in: transaction)
            try Tables.outboxDue.removeAll(in: transaction)
        }
    }

    /// The token at the end of the newest mail's link.
    func token(_ template: String) throws -> String {
        let mail = try #require(try mails().last { $0.template == template })
        let link = try #require(mail.link)
        return String(try #require(link.split(separator: "/").last))
    }

    var lastTransaction: UInt64 {
        get throws { try store.read { $0.transactionID } }
    }
}

/// What an operation throws; nil when it does not.
func refusal(_ body: () async throws -> Void) async -> AccountsError.Code? {
    do {
        try await body()
        return nil
    } catch let error as AccountsError {
        return error.code
    } catch {
        Issue.record("another error: \(error)")
        return nil
    }
}
