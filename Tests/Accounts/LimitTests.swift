import Core
import Testing

@testable import Accounts

@Suite struct LimitTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)

    @Test func aBucketGivesItsBurstAndThenItsRate() {
        let limit = RateLimit(count: 20, per: .seconds(60), burst: 40)
        var bucket = TokenBucket()
        for _ in 0..<40 {
            let wait = bucket.take(limit, at: start)
            #expect(wait == nil)
        }
        let refused = bucket.take(limit, at: start)
        #expect(refused == .seconds(3))
        var taken = 0
        for second in 1...60 where bucket.take(limit, at: start + .seconds(Int64(second))) == nil { taken += 1 }
        #expect(taken == 20)
        let rested = (0..<100).filter { _ in bucket.take(limit, at: start + .seconds(100_000)) == nil }
        #expect(rested.count == 40)
        // A clock that was set back locks nobody out.
        let back = bucket.take(limit, at: start - .seconds(1_000_000))
        #expect(back == nil)
    }

    @Test func clientsShareByAddressClassAndExemptOnesAreFree() throws {
        let policy = LimitPolicy(
            signIn: RateLimit(count: 1, per: .seconds(60), burst: 1),
            exemptNetworks: [try #require(Network("10.0.0.0/8"))])
        let limiter = RateLimiter()
        func code(_ address: String?) -> AccountsError.Code? {
            do throws(AccountsError) {
                try limiter.take(.signIn, client: Client(address: address.flatMap { IPAddress($0) }), policy, at: start)
                return nil
            } catch {
                #expect(error.retryAfter == .seconds(60))
                return error.code
            }
        }
        #expect(code("192.0.2.1") == nil && code("192.0.2.1") == .rateLimited && code("192.0.2.2") == nil)
        #expect(code("2001:db8::1") == nil && code("2001:db8::2") == .rateLimited && code("2001:db8:0:1::1") == nil)
        #expect(code(nil) == nil && code(nil) == .rateLimited)
        for _ in 0..<10 { #expect(code("10.1.2.3") == nil) }
    }

    @Test func refusedKeysAreCountedByAddressAndApartFromSignIns() throws {
        let policy = LimitPolicy(
            signIn: RateLimit(count: 1, per: .seconds(60), burst: 2),
            exemptNetworks: [try #require(Network("10.0.0.0/8"))])
        let limiter = RateLimiter()
        func wait(_ address: String?, _ later: Duration = .zero) -> Duration? {
            limiter.wait(afterRefusedKeyFrom: address.flatMap { IPAddress($0) }, policy, at: start + later)
        }
        for address in ["192.0.2.1", "2001:db8::1", nil] {
            #expect(wait(address) == nil && wait(address) == nil && wait(address) == .seconds(60))
        }
        #expect(wait("2001:db8::2") == .seconds(60) && wait("2001:db8:0:1::2") == nil && wait("192.0.2.2") == nil)
        #expect(wait("192.0.2.1", .seconds(60)) == nil && wait("192.0.2.1", .seconds(60)) == .seconds(60))
        for _ in 0..<10 { #expect(wait("10.1.2.3") == nil) }
        // Nobody is kept from signing in by a program with an old key at the same address.
        #expect(throws: Never.self) {
            try limiter.take(.signIn, client: Client(address: IPAddress("192.0.2.1")), policy, at: start)
        }
    }

    @Test func nobodysInboxIsFlooded() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        try accounts.emptyOutbox()
        let operations = accounts.operations { $0.limits = LimitPolicy() }
        var codes: [AccountsError.Code?] = []
        for index in 0..<24 {
            // From everywhere, by every form.
            let client = Client(address: IPAddress("198.51.100.\(index)"))
            codes.append(
                await refusal {
                    switch index % 3 {
                    case 0: try await operations.forgotPassword("Ada@example.com", from: client)
                    case 1: try await operations.requestMagicLink("ada@EXAMPLE.com", browser: nil, from: client)
                    default: try await operations.register("ADA@example.com", password: nil, from: client)
                    }
                })
        }
        // Five of each form.
        #expect(codes.prefix(15).allSatisfy { $0 == nil } && codes.dropFirst(15).allSatisfy { $0 == .rateLimited })
        #expect(try accounts.mails().count == 15)
        // One client may not mail many addresses either.
        let client = Client(address: IPAddress("203.0.113.9"))
        var sent = 0
        for index in 0..<20 {
            let code = await refusal { try await operations.forgotPassword("user\(index)@example.com", from: client) }
            if code == nil { sent += 1 }
        }
        #expect(sent == 5)
        accounts.test.clock.advance(.seconds(3600))
        #expect(await refusal { try await operations.forgotPassword("ada@example.com", from: client) } == nil)
    }

    @Test func aStormOfClientsIsForgottenNotKept() throws {
        let limiter = RateLimiter(capacity: 100)
        let policy = LimitPolicy()
        for _ in 0..<5 { try limiter.take(mailbox: "ada@example.com", for: .magicLink, policy, at: start) }
        for index in 0..<10_000 {
            let address = IPAddress("10.\(index / 65_536).\(index / 256 % 256).\(index % 256)")
            #expect(throws: Never.self) {
                try limiter.take(.signIn, client: Client(address: address), policy, at: start)
            }
            #expect(throws: Never.self) { try limiter.take(.refresh, of: "session \(index)", policy, at: start) }
        }
        // What was sent to an address is not forgotten with them.
        #expect(throws: AccountsError(.rateLimited, "")) {
            try limiter.take(mailbox: "ada@example.com", for: .magicLink, policy, at: start)
        }
    }

    /// Who has a /48 has 65,536 networks, and mails by four of them at most.
    @Test func aSiteOfNetworksMailsLikeFour() throws {
        let limiter = RateLimiter()
        let policy = LimitPolicy(mail: RateLimit(count: 5, per: .seconds(3600), burst: 5))
        func mailed(_ site: String) -> Int {
            (0..<400).filter { index in
                let address = IPAddress("\(site):\(index / 8)::\(index % 8 + 1)")
                return (try? limiter.take(.mail, client: Client(address: address), policy, at: start)) != nil
            }.count
        }
        #expect(mailed("2001:db8:1") == 20 && mailed("2001:db8:2") == 20 && mailed("2001:db8:1") == 0)
        // A network that was refused for its site has lost nothing of its own.
        let last = IPAddress("2001:db8:1:31::1")
        for _ in 0..<5 {
            #expect(throws: Never.self) {
                try limiter.take(.mail, client: Client(address: last), policy, at: start + .seconds(3600))
            }
        }
    }

    @Test func howManyALimitAllows() {
        let limit = RateLimit(count: 5, per: .seconds(3600), burst: 5)
        #expect(limit.most(within: .seconds(3600), bound: 64) == 10)
        #expect(limit.most(within: .seconds(86_400), bound: 64) == 64)
        #expect(limit.most(within: .seconds(-1), bound: 64) == 5)
        let huge = RateLimit(count: .max, per: .seconds(1), burst: .max)
        #expect(huge.most(within: .seconds(86_400), bound: 64) == 64)
    }

    /// L5: tokens are exchanged, and keys made, at a bounded rate; and keys there are only so many.
    @Test func whatLeavesRowsBehindIsBounded() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let operations = accounts.operations {
            $0.limits = LimitPolicy(
                refresh: RateLimit(count: 10, per: .seconds(3600), burst: 5),
                keys: RateLimit(count: 10, per: .seconds(3600), burst: 10))
            $0.keys.maximumCount = 3
        }
        let password = TestAccounts.secret(TestAccounts.password)
        var tokens = try #require(
            try await operations.signIn("ada@example.com", password: password, as: .api, from: TestAccounts.client)
                .tokens)
        let first = tokens.refreshToken
        for _ in 0..<5 { tokens = try await operations.refresh(tokens.refreshToken, from: TestAccounts.client) }
        let last = tokens
        #expect(
            await refusal { _ = try await operations.refresh(last.refreshToken, from: TestAccounts.outsider) }
                == .rateLimited)
        // Another session is not held to it; and the token has stayed good.
        let other = try #require(
            try await operations.signIn("ada@example.com", password: password, as: .api, from: TestAccounts.client)
                .tokens)
        _ = try await operations.refresh(other.refreshToken, from: TestAccounts.client)
        accounts.test.clock.advance(.seconds(3600))
        tokens = try await operations.refresh(last.refreshToken, from: TestAccounts.client)
        let reader = try AccountReader(store: accounts.store)
        let identity = reader.read(tokens.accessToken, .bearer, at: accounts.now).identity
        let principal = try operations.principal(identity)
        _ = try await operations.reauthenticate(principal, password: password, from: TestAccounts.client)
        var keys: [IssuedAPIKey] = []
        func make() async -> AccountsError.Code? {
            await refusal {
                keys.append(
                    try await operations.createAPIKey(
                        NewAPIKey(user: "", name: "key"), of: principal, from: TestAccounts.client))
            }
        }
        for expected in [nil, nil, nil, AccountsError.Code.refused] { #expect(await make() == expected) }
        let rotated = await refusal {
            _ = try await operations.rotateAPIKey(keys[0].key.id, of: principal, from: TestAccounts.client)
        }
        #expect(rotated == .refused)
        for _ in 0..<2 {
            try await operations.revokeAPIKey(keys.removeFirst().key.id, of: principal, from: TestAccounts.client)
            #expect(await make() == nil)
        }
        for expected in [AccountsError.Code.refused, .refused, .refused, .rateLimited] {
            #expect(await make() == expected)
        }
        // A used token ends the session, however many there were.
        #expect(await refusal { _ = try await operations.refresh(first, from: TestAccounts.outsider) } == .invalidToken)
        let ended = tokens.refreshToken
        #expect(await refusal { _ = try await operations.refresh(ended, from: TestAccounts.client) } == .invalidToken)
        // Tokens that are none are counted by the client.
        let client = Client(address: IPAddress("203.0.113.99"))
        for index in 0..<41 {
            let code = await refusal {
                _ = try await operations.refresh(index % 2 == 0 ? "x" : String(repeating: "A", count: 43), from: client)
            }
            #expect(code == (index < 40 ? .invalidToken : .rateLimited))
        }
    }
}
