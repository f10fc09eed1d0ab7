import Core
import LMDB
import Testing

@testable import Accounts

/// In which language people are written to who never signed in on a page.
@Suite struct LanguageTests {
    private func languages(_ accounts: TestAccounts) throws -> [MailLanguage] {
        try accounts.store.read { transaction in
            var found: [MailLanguage] = []
            try Tables.outbox.forEach(in: transaction) { _, record, _ in
                found.append(record.language)
                return true
            }
            return found
        }
    }

    private var german: Client {
        var client = TestAccounts.client
        client.language = .german
        return client
    }

    private func proof(_ accounts: TestAccounts) throws -> String {
        let link = try #require(try accounts.mails().last?.link)
        return String(link.split(separator: "/").last ?? "")
    }

    /// Whoever asks for a new password, or locks the account, does not choose what its owner reads.
    @Test func anAccountOfTheOperatorsHasTheOneItWasMadeWith() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.store.addUser(
            NewUser(email: "ada@example.com", language: .german), by: TestStore.cli)
        #expect(user.language == .german)
        try await accounts.operations().forgotPassword("ada@example.com", from: TestAccounts.outsider)
        #expect(try languages(accounts) == [.german])
    }

    @Test func anImportedAccountHasTheOneOfTheFile() async throws {
        let accounts = try TestAccounts()
        let store = accounts.store
        let file = "email,language\nada@example.com,de\nbert@example.com,\ncy@example.com,xx\n"
        let lines = try ImportFormat.csv.read(Array(file.utf8))
        let report = try store.importUsers(lines, ImportOptions(), by: TestStore.cli)
        #expect(report.outcomes.map(\.outcome) == [.new, .new, .skipped])
        #expect(try store.user("ada@example.com").language == .german)
        #expect(try store.user("bert@example.com").language == nil)
        let line = try ImportFormat.jsonl.read(Array(#"{"email":"bert@example.com","language":"de"}"#.utf8))
        var options = ImportOptions()
        #expect(try store.importUsers(line, options, by: TestStore.cli).outcomes.map(\.outcome) == [.skipped])
        options.updates = true
        #expect(try store.importUsers(line, options, by: TestStore.cli).outcomes.map(\.outcome) == [.changed])
        #expect(try store.importUsers(line, options, by: TestStore.cli).outcomes.map(\.outcome) == [.unchanged])
        // Whoever has one keeps it.
        let other = try ImportFormat.jsonl.read(Array(#"{"email":"bert@example.com","language":"en"}"#.utf8))
        #expect(try store.importUsers(other, options, by: TestStore.cli).outcomes.map(\.outcome) == [.unchanged])
        #expect(try store.user("bert@example.com").language == .german)
    }

    /// A program that brings the token says nothing of languages; a page speaks the one of whoever follows the mail.
    @Test(arguments: [nil, MailLanguage.english])
    func aRegisteredAccountHasTheOneItWasAskedForIn(page: MailLanguage?) async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let password = TestAccounts.secret(TestAccounts.password)
        try await operations.register("nell@example.com", password: password, from: german)
        #expect(try languages(accounts) == [.german])
        let user = try await operations.verifyEmail(
            try proof(accounts), password: page == nil ? nil : password, language: page, from: TestAccounts.client)
        #expect(user.language == page ?? .german)
        try accounts.emptyOutbox()
        try await operations.forgotPassword("nell@example.com", from: TestAccounts.outsider)
        #expect(try languages(accounts) == [page ?? .german])
    }

    @Test func aSignInOnAPageChangesItAndOneByTheAPIDoesNot() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let password = TestAccounts.secret(TestAccounts.password)
        let operations = accounts.operations()
        _ = try await operations.signIn(user.email, password: password, as: .api, from: german)
        #expect(try accounts.store.user(user.id).language == nil)
        _ = try await operations.signIn(user.email, password: password, as: .page(remember: false), from: german)
        #expect(try accounts.store.user(user.id).language == .german)
    }
}
