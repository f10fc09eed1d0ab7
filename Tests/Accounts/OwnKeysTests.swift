import Core
import Testing

@testable import Accounts

/// API keys by their owners.
@Suite struct OwnKeysTests {
    @Test func ownersMakeKeysWithinWhatIsAllowed() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.addPerson("bert@example.com")
        let operations = accounts.operations {
            $0.keyScopes = ["wiki:read"]
            $0.routeNames = ["wiki"]
        }
        let reader = try AccountReader(store: accounts.store)
        var principals: [Principal] = []
        for email in ["ada@example.com", "bert@example.com"] {
            let signedIn = try await operations.signIn(
                email, password: TestAccounts.secret(TestAccounts.password), as: .page(remember: false),
                from: TestAccounts.client)
            let portal = signedIn.secrets?.portal ?? ""
            principals.append(
                try operations.principal(reader.read(portal, .portalCookie, at: accounts.now).identity))
        }
        let (ada, bert) = (principals[0], principals[1])
        let made = try await operations.createAPIKey(
            NewAPIKey(user: "bert@example.com", name: "script", scopes: ["wiki:read"], routes: ["wiki"]), of: ada,
            from: TestAccounts.client)
        #expect(made.key.userID == ada.userID)
        #expect(reader.read(made.secret, at: accounts.now).identity?.user == "ada@example.com")
        #expect(try operations.apiKeys(of: ada).map(\.id) == [made.key.id])
        #expect(try operations.apiKeys(of: bert).isEmpty)
        let bad = [
            NewAPIKey(user: "", name: "x", scopes: ["admin"]), NewAPIKey(user: "", name: "x", routes: ["other"]),
            NewAPIKey(user: "", name: "", scopes: nil), NewAPIKey(user: "", name: "a\0b"),
            NewAPIKey(user: "", name: String(repeating: "x", count: 100_000)),
            NewAPIKey(user: "", name: "x", lifetime: .seconds(400 * 86_400)),
        ]
        for new in bad {
            let code = await refusal {
                _ = try await operations.createAPIKey(new, of: ada, from: TestAccounts.client)
            }
            #expect(code == .invalid)
        }
        for id in [made.key.id, "key_none", ""] {
            let revoked = await refusal {
                try await operations.revokeAPIKey(id, of: bert, from: TestAccounts.client)
            }
            let rotated = await refusal {
                _ = try await operations.rotateAPIKey(id, of: bert, from: TestAccounts.client)
            }
            #expect(revoked == .notFound && rotated == .notFound)
        }
        let next = try await operations.rotateAPIKey(made.key.id, of: ada, from: TestAccounts.client)
        #expect(reader.read(next.secret, at: accounts.now).identity?.scopes == ["wiki:read"])
        // The owner is told of each secret that is new, also of one in place of another.
        #expect(try accounts.mails().count { $0.template == "api_key_created" && $0.to == "ada@example.com" } == 2)
        for isFirst in [true, false] {
            #expect(try await operations.revokeAPIKey(next.key.id, of: ada, from: TestAccounts.client) == isFirst)
        }
        #expect(reader.read(next.secret, at: accounts.now).reason == .credentialRevoked)
        let event = try #require(try accounts.test.events(AuditFilter(type: "api_key_created")).first)
        #expect(event.actor == "ada@example.com" && event.session == ada.session && event.ipAddress == "192.0.2.10")
        // A session that is over makes nothing.
        _ = try accounts.store.revokeSession(ada.session, by: TestStore.cli)
        let late = await refusal {
            _ = try await operations.createAPIKey(
                NewAPIKey(user: "", name: "x"), of: ada, from: TestAccounts.client)
        }
        #expect(late == .invalidToken)
    }
}
