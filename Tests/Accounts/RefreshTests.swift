import Core
import LMDB
import Testing

@testable import Accounts

@Suite struct RefreshTests {
    private let right = TestAccounts.secret(TestAccounts.password)

    private func ready() async throws -> (TestAccounts, AccountOperations, IssuedTokens, AccountReader) {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations()
        let signedIn = try await operations.signIn(
            "ada@example.com", password: right, as: .api, from: TestAccounts.outsider)
        return (accounts, operations, try #require(signedIn.tokens), try AccountReader(store: accounts.store))
    }

    @Test func tokensRotate() async throws {
        let (accounts, operations, first, reader) = try await ready()
        accounts.test.clock.advance(.seconds(600))
        let second = try await operations.refresh(first.refreshToken, from: TestAccounts.outsider)
        #expect(second.session == first.session && second.refreshToken != first.refreshToken)
        let shown = try #require(try accounts.store.sessions().first)
        #expect(shown.lastActivity == accounts.now && shown.ipAddress == "203.0.113.7")
        #expect(reader.read(second.accessToken, .bearer, at: accounts.now).identity?.session == first.session)
        // The session goes on for as long as it is refreshed.
        for _ in 0..<4 { accounts.test.clock.advance(.seconds(10 * 86_400)) }
        #expect(
            await refusal { _ = try await operations.refresh(second.refreshToken, from: TestAccounts.outsider) }
                == .invalidToken)
    }

    @Test func aSlidingSessionOutlivesItsFirstToken() async throws {
        let (accounts, operations, first, _) = try await ready()
        var current = first
        for _ in 0..<5 {
            accounts.test.clock.advance(.seconds(20 * 86_400))
            current = try await operations.refresh(current.refreshToken, from: TestAccounts.outsider)
        }
        #expect(current.session == first.session)
        #expect(try accounts.store.sessions().count == 1)
    }

    @Test func aUsedOneEndsTheFamily() async throws {
        let (accounts, operations, first, reader) = try await ready()
        let second = try await operations.refresh(first.refreshToken, from: TestAccounts.outsider)
        let identity = try #require(reader.read(second.accessToken, .bearer, at: accounts.now).identity)
        #expect(
            await refusal { _ = try await operations.refresh(first.refreshToken, from: TestAccounts.client) }
                == .invalidToken)
        #expect(
            await refusal { _ = try await operations.refresh(second.refreshToken, from: TestAccounts.outsider) }
                == .invalidToken)
        #expect(reader.read(second.accessToken, .bearer, at: accounts.now).reason == .credentialRevoked)
        #expect(reader.recheck(identity, at: accounts.now).reason == .credentialRevoked)
        let event = try #require(try accounts.test.events(AuditFilter(type: "refresh_token_reused")).first)
        #expect(event.ipAddress == "192.0.2.10" && event.session == first.session && !event.success)
    }

    @Test func ofTwoAtOnceOneWinsAndTheOtherEndsTheFamily() async throws {
        for _ in 0..<10 {
            let (accounts, operations, first, _) = try await ready()
            let won = await withTaskGroup(of: IssuedTokens?.self) { group in
                for _ in 0..<8 {
                    group.addTask { try? await operations.refresh(first.refreshToken, from: TestAccounts.outsider) }
                }
                return await group.reduce(into: [IssuedTokens]()) { if let tokens = $1 { $0.append(tokens) } }
            }
            #expect(won.count == 1)
            #expect(try accounts.store.sessions().isEmpty)
            let next = try #require(won.first)
            #expect(
                await refusal { _ = try await operations.refresh(next.refreshToken, from: TestAccounts.outsider) }
                    == .invalidToken)
        }
    }

    @Test func nothingThatWasEndedIsRefreshed() async throws {
        let (accounts, operations, first, _) = try await ready()
        _ = try accounts.store.disableUser("ada@example.com", by: TestStore.cli)
        #expect(
            await refusal { _ = try await operations.refresh(first.refreshToken, from: TestAccounts.outsider) }
                == .invalidToken)
        _ = try accounts.store.enableUser("ada@example.com", by: TestStore.cli)
        #expect(
            await refusal { _ = try await operations.refresh(first.refreshToken, from: TestAccounts.outsider) }
                == .invalidToken)
        for text in [
            "", "x", first.accessToken, String(repeating: "A", count: 43), String(repeating: "é", count: 50_000),
        ] {
            #expect(
                await refusal { _ = try await operations.refresh(text, from: TestAccounts.outsider) } == .invalidToken)
        }
    }

    @Test func onlyDigestsAreStoredAndTheyAreSwept() async throws {
        let (accounts, operations, first, _) = try await ready()
        let second = try await operations.refresh(first.refreshToken, from: TestAccounts.outsider)
        try accounts.store.read { transaction in
            try Tables.refreshTokens.forEach(in: transaction) { _, _, bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                #expect(!text.contains(first.refreshToken) && !text.contains(second.refreshToken))
                return true
            }
        }
        accounts.test.clock.advance(.seconds(32 * 86_400))
        while try accounts.store.sweep() > 0 {}
        let left = try accounts.store.read { try Tables.refreshTokens.count(in: $0) }
        #expect(left == 0)
    }
}
