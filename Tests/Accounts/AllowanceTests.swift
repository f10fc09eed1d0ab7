import Core
import LMDB
import Testing

@testable import Accounts

/// What one account can leave behind is bounded, whoever signs in to it how often.
@Suite struct AllowanceTests {
    private func entry(
        _ id: String, _ kind: SessionRecord.Kind, alive: Bool = true, used second: Int64
    ) -> SessionAllowance.Entry {
        SessionAllowance.Entry(id: id, kind: kind, isAlive: alive, lastUse: Timestamp(seconds: second))
    }

    @Test func whatIsOverGoesFirstThenTheKindThatHasMore() {
        let entries = [
            entry("old browser", .browser, used: 1), entry("new browser", .browser, used: 90),
            entry("over", .browser, alive: false, used: 99), entry("token over", .token, alive: false, used: 50),
            entry("a", .api, used: 40), entry("b", .api, used: 30), entry("c", .api, used: 20),
            entry("d", .api, used: 60),
        ]
        func gone(_ most: Int) -> [String] { SessionAllowance.excess(of: entries, leaving: most).map(\.id) }
        #expect(gone(8).isEmpty && gone(100).isEmpty)
        #expect(gone(7) == ["token over"])
        #expect(gone(6) == ["token over", "over"])
        #expect(gone(4) == ["token over", "over", "c", "b"])
        // From here on they are as many as the browsers are.
        #expect(gone(2) == ["token over", "over", "c", "b", "old browser", "a"])
        #expect(gone(0).count == 8)
    }

    /// Sessions of ada's, as sign-ins would have left them.
    private func leave(
        _ count: Int, _ kind: SessionRecord.Kind, of user: User, in accounts: TestAccounts
    ) throws {
        let store = accounts.store
        let now = accounts.now
        try accounts.test.tamper { transaction in
            for index in 0..<count {
                let session = SessionRecord(
                    id: "ses_\(kind.rawValue)\(index)", kind: kind, userID: user.id, epoch: 1, actor: user.username,
                    createdAt: now - .seconds(count - index), expiresAt: now + .seconds(86_400), amr: ["pwd"],
                    factors: 1)
                try store.insert(session, in: transaction)
            }
        }
    }

    @Test func aProgramThatSignsInAgainAndAgainKeepsNoBrowserOut() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let operations = accounts.operations()
        let browser = try await accounts.signIn(operations)
        let first = try await accounts.signIn(operations, as: .api)
        accounts.test.clock.advance(.seconds(3600))
        try leave(SessionAllowance.most + SessionAllowance.surplus, .api, of: user, in: accounts)
        let last = try await accounts.signIn(operations, as: .api)
        let left = try accounts.store.sessions()
        #expect(left.count == SessionAllowance.most)
        #expect(left.contains { $0.id == browser.session } && left.contains { $0.id == last.session })
        #expect(!left.contains { $0.id == first.session } && !left.contains { $0.id == "ses_api0" })
        #expect(left.contains { $0.id == "ses_api287" })
        // What has gone is good for nothing.
        let reader = try AccountReader(store: accounts.store)
        let tokens = try #require(first.tokens)
        #expect(reader.read(tokens.accessToken, .bearer, at: accounts.now).reason != nil)
        #expect(
            await refusal { _ = try await operations.refresh(tokens.refreshToken, from: TestAccounts.client) }
                == .invalidToken)
        let event = try #require(try accounts.test.events(AuditFilter(type: "sessions_revoked")).first)
        #expect(event.metadata["why"] == .string("too_many") && event.metadata["count"] == .integer(35))
        #expect(event.session == last.session)
        #expect(try accounts.store.check().isEmpty)
        // The next one looks at nothing.
        _ = try await accounts.signIn(operations, as: .api)
        #expect(try accounts.store.sessions().count == SessionAllowance.most + 1)
    }

    @Test func tokensOfTheOperatorsAreLeftAlone() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        try leave(400, .token, of: user, in: accounts)
        try leave(300, .browser, of: user, in: accounts)
        _ = try await accounts.signIn(accounts.operations())
        let left = try accounts.store.sessions()
        #expect(left.count { $0.kind == "token" } == 400)
        #expect(left.count { $0.kind == "browser" } == SessionAllowance.most)
    }

    @Test func aDeviceWithASecretOutlastsNames() async throws {
        let accounts = try TestAccounts()
        let user = try accounts.addPerson()
        let operations = accounts.operations()
        let known = try await accounts.signIn(operations)
        let store = accounts.store
        let now = accounts.now
        let most = Store.mostDevices
        try accounts.test.tamper { transaction in
            for index in 0..<(most.kept + most.surplus) {
                let digest = [UInt8](repeating: UInt8(index % 256), count: 31) + [UInt8(index / 256)]
                _ = try store.remember(
                    device: digest, kind: .name, name: "\(index)", of: user.id, at: now + .seconds(index),
                    in: transaction)
            }
        }
        let left = try store.read { try Tables.knownDevices.count(in: $0) }
        #expect(left == most.kept)
        var client = TestAccounts.client
        client.deviceToken = known.deviceToken
        try accounts.emptyOutbox()
        _ = try await accounts.signIn(operations, from: client)
        #expect(try accounts.mails().isEmpty)
    }

    @Test func changesThatLeaveAnEventAreCounted() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations {
            $0.limits = LimitPolicy(
                signIn: RateLimit(count: 1, per: .seconds(3600), burst: 6),
                changes: RateLimit(count: 1, per: .seconds(60), burst: 3))
        }
        let principal = try accounts.principal(try await accounts.signIn(operations))
        let client = TestAccounts.client
        for name in ["A", "B"] { _ = try await operations.rename(principal, to: name, from: client) }
        _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
        let refusals = [
            await refusal { _ = try await operations.rename(principal, to: "C", from: TestAccounts.outsider) },
            await refusal { _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client) },
            await refusal { try await operations.renamePasskey("pk_none", of: principal, to: "x", from: client) },
        ]
        #expect(refusals == [.rateLimited, .rateLimited, .rateLimited])
        accounts.test.clock.advance(.seconds(60))
        _ = try await operations.rename(principal, to: "C", from: client)
        // The half of a sign-in counts as what it is.
        let required = accounts.operations {
            $0.limits = operations.configuration.limits
            $0.secondFactorIsRequired = true
        }
        let partial = try await accounts.partial(required)
        for _ in 0..<4 { _ = try await required.setUpTOTP(partial, from: client) }
        #expect(await refusal { _ = try await required.setUpTOTP(partial, from: client) } == .rateLimited)
    }
}
