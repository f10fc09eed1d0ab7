import Core
import LMDB
import Testing

@testable import Accounts

/// What people see of the audit log, and what is written there about them.
@Suite struct ActivityTests {
    @Test func peopleSeeTheirOwnEventsInPages() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations()
        let ada = try await accounts.person()
        let bert = try await accounts.person("bert@example.com")
        for number in 0..<5 {
            _ = try await operations.rename(ada, to: "Ada \(number)", from: TestAccounts.client)
            _ = try await operations.rename(bert, to: "Bert \(number)", from: TestAccounts.client)
        }
        var seen: [AuditEvent] = []
        var before: UInt64?
        var pages = 0
        repeat {
            let part = try operations.activity(of: ada, limit: 3, before: before)
            #expect(part.events.count <= 3)
            seen += part.events
            before = part.next
            pages += 1
        } while before != nil
        let own = try accounts.test.events(AuditFilter(user: ada.userID))
        #expect(seen.map(\.sequence) == own.map(\.sequence) && pages == (own.count + 2) / 3)
        #expect(seen.allSatisfy { $0.userID == ada.userID })
        #expect(seen.first?.device == "Firefox on Linux" && seen.first?.ipAddress == "192.0.2.10")
        #expect(try operations.activity(of: ada, before: 1).events.isEmpty)
        #expect(try operations.activity(of: ada, limit: own.count).next == nil)
        for limit in [0, -1, 201, Int.max] {
            #expect(throws: AccountsError(.invalid, "")) { try operations.activity(of: ada, limit: limit) }
        }
        try await operations.revokeSessions(of: ada, everywhere: true, from: TestAccounts.client)
        #expect(throws: AccountsError(.invalidToken, "")) { try operations.activity(of: ada) }
    }

    /// Whoever else's events there are, none of them is read: here they could not be.
    @Test func theLogOfOthersIsNotLookedAt() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let ada = try await accounts.person()
        let head = try accounts.store.lastAuditSequence()
        try accounts.test.tamper { transaction in
            for sequence in (head + 1)...(head + 5000) {
                try Tables.audit.put(StoredEvent(bytes: Array("no event".utf8)), for: sequence, in: transaction)
                try Tables.auditByUser.put(EmptyRecord(), for: KeyPair("usr_other", sequence), in: transaction)
            }
        }
        let part = try accounts.operations().activity(of: ada, limit: 200)
        #expect(!part.events.isEmpty && part.events.allSatisfy { $0.userID == ada.userID })
    }

    /// An issuer may be allowed to use any user name; its events are not those of the account that is called so.
    @Test func eventsOfANamesakeAreNotShown() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson(username: "ada")
        let ada = try await accounts.person()
        try accounts.store.recordEvent(
            NewAuditEvent(.requestDenied, success: false, user: "ada", userID: "corp:ada"), by: .system)
        try accounts.store.recordEvent(NewAuditEvent(.requestDenied, success: false, user: "ada"), by: .system)
        let events = try accounts.operations().activity(of: ada).events
        #expect(!events.contains { $0.type == "request_denied" })
    }

    @Test func noSecretIsInAnEvent() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let ada = try await accounts.person()
        let key = try await operations.createAPIKey(
            NewAPIKey(user: ada.userID, name: "k"), of: ada, from: TestAccounts.client)
        try await operations.changeEmail(of: ada, to: "new@example.com", from: TestAccounts.client)
        try await operations.requestMagicLink("ada@example.com", browser: nil, from: TestAccounts.client)
        let secrets = [
            key.secret, try accounts.token("confirm_new_email"), try accounts.token("magic_link"),
            TestAccounts.password,
        ]
        for event in try accounts.test.events() {
            for secret in secrets { #expect(!event.jsonLine.contains(secret), "\(event.type)") }
        }
    }

    // MARK: Gaps

    @Test func whatIsVerifiedSaysFromWhere() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        for client in [TestAccounts.client, TestAccounts.outsider] {
            try await operations.register(
                "ada@example.com", password: TestAccounts.secret(TestAccounts.password), from: client)
        }
        #expect(try accounts.test.events(AuditFilter(type: "user_registered")).count == 2)
        try await operations.verifyEmail(try accounts.token("verify_email"), from: TestAccounts.client)
        let verified = try #require(try accounts.test.events(AuditFilter(type: "email_verified")).first)
        #expect(verified.ipAddress == "192.0.2.10" && verified.requestID == "r1")
        #expect(verified.metadata["email"] == .string("ada@example.com"))
    }

    @Test func anImportIsOneEventAndTheSameAgainIsNone() throws {
        let test = try TestStore()
        let lines = try ImportFormat.csv.read(Array("email,username\na@example.com,a\nb@example.com,b\n".utf8))
        _ = try test.store.importUsers(lines, ImportOptions(isDryRun: true), by: TestStore.cli)
        #expect(try test.events(AuditFilter(type: "users_imported")).isEmpty)
        for _ in 0..<2 { _ = try test.store.importUsers(lines, ImportOptions(), by: TestStore.cli) }
        let events = try test.events(AuditFilter(type: "users_imported"))
        #expect(events.count == 1 && events.first?.metadata["new"] == .integer(2))
    }
}
