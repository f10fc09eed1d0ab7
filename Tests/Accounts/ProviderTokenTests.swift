import Core
import Glibc
import LMDB
import Logging
import Synchronization
import Testing

@testable import Accounts

/// The tokens of a provider that a session has begun by: kept sealed, refreshed once for all who wait, gone with it.
@Suite struct ProviderTokenTests {
    private let it: TokenScene
    private var scene: FederationScene { it.scene }

    init() throws { it = try TokenScene() }

    // MARK: Whose they are

    @Test func aTokenIsOfItsSessionAndItsProviderAlone() async throws {
        let lena = try await it.enter("1", it.tokens("token-of-lena"))
        let otto = try await it.enter("2", it.tokens("token-of-otto"))
        let nobody = try await it.enter("3", nil)
        for _ in 0..<2 {
            #expect(it.token(lena) == "token-of-lena" && it.token(otto) == "token-of-otto" && it.token(nobody) == nil)
        }
        #expect(it.token(lena, from: []) == nil)
        #expect(it.token(lena, from: [TokenProvider(id: "corp", issuer: "https://other.example")]) == nil)
        #expect(it.token(lena, from: [TokenProvider(id: "other", issuer: "https://idp.example")]) == nil)
        // Somebody else by the name of that session, and credentials that are no session.
        let thief = Identity(
            kind: .session, credentialID: "x", subject: otto.subject, user: otto.user, session: lena.session)
        let key = Identity(
            kind: .apiKey, credentialID: "x", subject: lena.subject, user: lena.user, session: lena.session)
        #expect(it.token(thief) == nil && it.token(key) == nil)
    }

    @Test func whatIsTooLongIsNotKept() async throws {
        let lena = try await it.enter("1", it.tokens(String(repeating: "a", count: 8192)))
        #expect(it.token(lena) == nil)
        #expect(try it.rows() == 0)
        let event = try #require(try scene.test.events().first { $0.type == "provider_tokens_dropped" })
        #expect(event.reason == "too_large" && event.session == lena.session && !event.success)
        #expect(!event.jsonLine.contains("aaaa"))
        let otto = try await it.enter("2", it.tokens(String(repeating: "a", count: 8192), refresh: nil))
        #expect(it.token(otto)?.utf8.count == 8192)
    }

    // MARK: At rest

    @Test func theyAreSealedAndOpenUnderAPreviousKey() async throws {
        let lena = try await it.enter("1", it.tokens())
        let data = try bytes(of: scene.test.folder + "/data.mdb")
        for text in [TokenScene.access, TokenScene.refresh] {
            #expect(!contains(data, Array(text.utf8)))
            #expect(!contains(data, Array(Base64.encode(Array(text.utf8)).dropLast(4).utf8)))
            #expect(try !scene.test.events().contains { $0.jsonLine.contains(text) })
        }
        try scene.test.reopen(masterKey: 8, previous: [7])
        let reader = try StoredProviderTokens(store: scene.test.store, refresher: it.refresher, log: TokenScene.quiet)
        guard
            case .token(let token) = reader.token(
                of: lena, from: [TokenScene.corp], mayWait: true, at: scene.test.now)
        else {
            Issue.record("a previous key does not open it")
            return
        }
        #expect(token == Array(TokenScene.access.utf8))
        try scene.test.reopen(masterKey: 9)
        let blind = try StoredProviderTokens(store: scene.test.store, refresher: it.refresher, log: TokenScene.quiet)
        guard case .none = blind.token(of: lena, from: [TokenScene.corp], mayWait: true, at: scene.test.now) else {
            Issue.record("opened without its key")
            return
        }
    }

    @Test func oneThatWasMovedToAnotherSessionIsNotOpened() async throws {
        let lena = try await it.enter("1", it.tokens())
        let otto = try await it.enter("2", nil)
        let (from, to) = (try #require(lena.session), try #require(otto.session))
        try scene.test.tamper { transaction in
            var record = try #require(try Tables.providerTokens.get(from, in: transaction))
            record.userID = otto.subject
            try Tables.providerTokens.put(record, for: to, in: transaction)
        }
        #expect(it.token(otto) == nil && it.token(lena) == TokenScene.access)
    }

    @Test func theyWaitForASecondFactorAndAreKeptWithTheSession() async throws {
        let (authenticator, _, _) = try await scene.accounts.enrolled(scene.operations)
        var identity = FederatedIdentity(
            provider: "corp", issuer: "https://idp.example", subject: "1", email: EmailAddress("ada@example.com"),
            emailIsVerified: true)
        identity.tokens = it.tokens()
        var partial: PartialSignIn?
        do {
            _ = try await scene.operations.signIn(
                by: identity, FederationTerms(claimedDomains: ["example.com"], linksUnused: true),
                as: .page(remember: false),
                from: scene.client)
        } catch {
            partial = error.partial
        }
        #expect(try it.rows() == 0)
        let code = try authenticator.code(at: scene.test.now)
        let signedIn = try await scene.operations.finishSignIn(
            try #require(partial), code: code, from: scene.client)
        let ada = Identity(
            kind: .session, credentialID: signedIn.session, subject: signedIn.user.id, user: signedIn.user.username,
            session: signedIn.session)
        #expect(it.token(ada) == TokenScene.access)
    }

    @Test func aNewProofAtTheSameProviderBringsNewOnes() async throws {
        let lena = try await it.enter("1", it.tokens())
        let principal = Principal(userID: lena.subject, session: try #require(lena.session), usesCookie: true)
        for (subject, isTheirs) in [("1", true), ("2", false)] {
            var identity = FederatedIdentity(
                provider: "corp", issuer: "https://idp.example", subject: subject, email: nil, emailIsVerified: false,
                authenticatedAt: scene.test.now)
            identity.tokens = it.tokens("proof-of-\(subject)")
            let proof = identity
            let outcome = await refusal {
                _ = try await scene.operations.reauthenticate(principal, by: proof, from: scene.client)
            }
            #expect((outcome == nil) == isTheirs && it.token(lena) == "proof-of-1")
        }
    }

    @Test func aNewProofWithoutARefreshTokenLeavesTheOldOne() async throws {
        let lena = try await it.enter("1", it.tokens())
        let principal = Principal(userID: lena.subject, session: try #require(lena.session), usesCookie: true)
        for (client, asked) in [("", [TokenScene.refresh]), ("another", [])] {
            var identity = FederatedIdentity(
                provider: "corp", issuer: "https://idp.example", subject: "1", email: nil, emailIsVerified: false,
                authenticatedAt: scene.test.now)
            identity.tokens = it.tokens("proof", refresh: nil, client: client)
            _ = try await scene.operations.reauthenticate(principal, by: identity, from: scene.client)
            scene.test.clock.advance(.seconds(600))
            let row = try #require(try scene.store.read { try Tables.providerTokens.get(principal.session, in: $0) })
            let refresh = try scene.store.open(row, session: principal.session).refresh
            #expect(refresh.map { [$0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }] } ?? [] == asked)
            #expect(row.isRefreshable != asked.isEmpty)
        }
    }

    @Test func whatWasGivenToAnotherClientIsNobodys() async throws {
        let lena = try await it.enter("1", it.tokens(lasts: .zero, client: "before"))
        let before = TokenProvider(id: "corp", issuer: "https://idp.example", client: "before")
        let now = TokenProvider(id: "corp", issuer: "https://idp.example", client: "now")
        guard case .none = it.reader.token(of: lena, from: [now], mayWait: true, at: scene.test.now) else {
            Issue.record("a token of another client is refreshed")
            return
        }
        #expect(try scene.store.dropProviderTokens(besides: [before]) == 0)
        #expect(try scene.store.dropProviderTokens(besides: [now]) == 1)
        #expect(it.renewals.asked.isEmpty)
    }

    // MARK: Their end

    @Test(arguments: ["sign out", "revoke", "user", "disable", "delete", "logout"])
    func theyGoWithTheSession(_ how: String) async throws {
        let lena = try await it.enter("1", it.tokens())
        let other = try await it.enter("2", it.tokens("other"))
        #expect(it.token(lena) != nil)
        let session = try #require(lena.session)
        switch how {
        case "sign out":
            let principal = Principal(userID: lena.subject, session: session, usesCookie: true)
            try await scene.operations.revokeSession(session, of: principal, from: scene.client)
        case "revoke": _ = try scene.store.revokeSession(session, by: TestStore.cli)
        case "user": _ = try scene.store.signOutUser(lena.subject, by: TestStore.cli)
        case "disable": _ = try scene.store.disableUser(lena.subject, by: TestStore.cli)
        case "delete": _ = try scene.store.deleteUser(lena.subject, by: TestStore.cli)
        default:
            let logout = LogoutNotice(
                provider: "corp", issuer: "https://idp.example", subject: "1", sessionID: nil, tokenID: "jti",
                goodUntil: scene.test.now + .seconds(60))
            _ = try await scene.operations.endSessions(logout, from: scene.client)
        }
        #expect(it.token(lena) == nil && it.token(other) == "other")
        #expect(try scene.store.check().isEmpty)
        #expect(try it.rows() == 1)
    }

    @Test func upkeepRemovesWhatNobodyMayHaveAnyMore() async throws {
        let lena = try await it.enter("1", it.tokens())
        _ = try await it.enter("2", it.tokens(refresh: nil, lasts: .seconds(60)))
        #expect(try scene.store.dropProviderTokens(besides: [TokenScene.corp]) == 0)
        scene.test.clock.advance(.seconds(120))
        #expect(try scene.store.dropProviderTokens(besides: [TokenScene.corp]) == 1)
        #expect(it.token(lena) != nil)
        // Idle for twelve hours by default.
        scene.test.clock.advance(.seconds(13 * 3600))
        #expect(try scene.store.dropProviderTokens(besides: [TokenScene.corp]) == 1)
        _ = try await it.enter("3", it.tokens())
        #expect(try scene.store.dropProviderTokens(besides: []) == 1)
        #expect(try it.rows() == 0)
    }

    @Test func unlinkingTakesItFromTheSessionThatStays() async throws {
        let lena = try await it.enter("1", it.tokens())
        // Another way in, without which the link stays.
        try scene.test.tamper { transaction in
            let password = PasswordRecord(hash: "$argon2id$x", changedAt: Timestamp(seconds: 0))
            try Tables.passwords.put(password, for: lena.subject, in: transaction)
        }
        let principal = Principal(userID: lena.subject, session: try #require(lena.session), usesCookie: true)
        let links = try scene.operations.socialAccounts(of: principal)
        #expect(it.token(lena) == TokenScene.access)
        try await scene.operations.unlink(try #require(links.first).id, of: principal, from: scene.client)
        #expect(try scene.store.sessions(user: lena.subject).map(\.id) == [lena.session])
        #expect(try it.token(lena) == nil && it.rows() == 0)
    }

    // MARK: Bytes

    private func bytes(of path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { return all }
            all += piece[..<count]
        }
    }

    private func contains(_ data: [UInt8], _ text: [UInt8]) -> Bool {
        data.withUnsafeBytes { data in
            text.withUnsafeBytes { text in
                guard let all = data.baseAddress, let wanted = text.baseAddress else { return false }
                return (0...max(0, data.count - text.count)).contains { start in
                    data[start] == text[0] && memcmp(all + start, wanted, text.count) == 0
                }
            }
        }
    }
}
