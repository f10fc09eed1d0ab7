import Core
import Glibc
import LMDB
import Logging
import Synchronization
import Testing

@testable import Accounts

/// Answers refreshes from a list, and counts them.
private final class Renewals: Sendable {
    private let state = Mutex<(answers: [TokenRenewal], asked: [String])>(([], []))

    var asked: [String] { state.withLock { $0.asked } }

    func will(_ answers: TokenRenewal...) { state.withLock { $0.answers += answers } }

    func renew(_ token: SecretBytes) -> TokenRenewal {
        state.withLock { state in
            state.asked.append(token.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
            return state.answers.isEmpty ? .failed("nothing is known") : state.answers.removeFirst()
        }
    }
}

/// The tokens of a provider that a session has begun by: kept sealed, refreshed once for all who wait, gone with it.
@Suite struct ProviderTokenTests {
    private static let corp = TokenProvider(id: "corp", issuer: "https://idp.example")
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let access = "access-AAAA-never-to-be-seen"
    private static let refresh = "refresh-RRRR-never-to-be-seen"

    private let scene: FederationScene
    private let renewals = Renewals()
    private let refresher: ProviderTokenRefresher
    private let reader: StoredProviderTokens

    init() throws {
        scene = try FederationScene()
        let renewals = renewals
        refresher = ProviderTokenRefresher(store: scene.store, log: Self.quiet) { _, token, _ in
            renewals.renew(token)
        }
        reader = try StoredProviderTokens(store: scene.store, refresher: refresher, log: Self.quiet)
    }

    private func tokens(
        _ access: String = ProviderTokenTests.access, refresh: String? = ProviderTokenTests.refresh,
        lasts: Duration? = .seconds(600)
    ) -> GrantedTokens {
        GrantedTokens(
            access: SecretBytes(copying: access.utf8), refresh: refresh.map { SecretBytes(copying: $0.utf8) },
            expiresAt: lasts.map { scene.test.now + $0 })
    }

    private func enter(_ subject: String = "1", _ tokens: GrantedTokens?) async throws -> Identity {
        var identity = FederatedIdentity(
            provider: "corp", issuer: "https://idp.example", subject: subject,
            email: EmailAddress("\(subject)@example.com"), emailIsVerified: true, authenticatedAt: scene.test.now)
        identity.tokens = tokens
        let signedIn = try await scene.operations.signIn(
            by: identity, FederationTerms(createsUsers: true), as: .page(remember: false), from: scene.client)
        return Identity(
            kind: .session, credentialID: signedIn.session, subject: signedIn.user.id, user: signedIn.user.username,
            session: signedIn.session)
    }

    private func token(
        _ identity: Identity, from providers: [TokenProvider] = [corp], mayWait: Bool = false
    ) -> String? {
        guard
            case .token(let bytes) = reader.token(
                of: identity, from: providers, mayWait: mayWait, at: scene.test.now)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Waits where it has to, as an exchange does.
    private func waited(_ identity: Identity) async -> String? {
        guard
            case .pending(let pending) = reader.token(
                of: identity, from: [Self.corp], mayWait: true, at: scene.test.now)
        else { return token(identity) }
        await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
        return token(identity)
    }

    private func rows() throws -> Int { try scene.store.read { try Tables.providerTokens.count(in: $0) } }

    // MARK: Whose they are

    @Test func aTokenIsOfItsSessionAndItsProviderAlone() async throws {
        let lena = try await enter("1", tokens("token-of-lena"))
        let otto = try await enter("2", tokens("token-of-otto"))
        let nobody = try await enter("3", nil)
        for _ in 0..<2 {
            #expect(token(lena) == "token-of-lena" && token(otto) == "token-of-otto" && token(nobody) == nil)
        }
        #expect(token(lena, from: []) == nil)
        #expect(token(lena, from: [TokenProvider(id: "corp", issuer: "https://other.example")]) == nil)
        #expect(token(lena, from: [TokenProvider(id: "other", issuer: "https://idp.example")]) == nil)
        // Somebody else by the name of that session, and credentials that are no session.
        let thief = Identity(
            kind: .session, credentialID: "x", subject: otto.subject, user: otto.user, session: lena.session)
        let key = Identity(
            kind: .apiKey, credentialID: "x", subject: lena.subject, user: lena.user, session: lena.session)
        #expect(token(thief) == nil && token(key) == nil)
    }

    @Test func whatIsTooLongIsNotKept() async throws {
        let lena = try await enter("1", tokens(String(repeating: "a", count: 8192)))
        #expect(token(lena) == nil)
        #expect(try rows() == 0)
        let event = try #require(try scene.test.events().first { $0.type == "provider_tokens_dropped" })
        #expect(event.reason == "too_large" && event.session == lena.session && !event.success)
        #expect(!event.jsonLine.contains("aaaa"))
        let otto = try await enter("2", tokens(String(repeating: "a", count: 8192), refresh: nil))
        #expect(token(otto)?.utf8.count == 8192)
    }

    // MARK: At rest

    @Test func theyAreSealedAndOpenUnderAPreviousKey() async throws {
        let lena = try await enter("1", tokens())
        let data = try bytes(of: scene.test.folder + "/data.mdb")
        for text in [Self.access, Self.refresh] {
            #expect(!contains(data, Array(text.utf8)))
            #expect(!contains(data, Array(Base64.encode(Array(text.utf8)).dropLast(4).utf8)))
            #expect(try !scene.test.events().contains { $0.jsonLine.contains(text) })
        }
        try scene.test.reopen(masterKey: 8, previous: [7])
        let reader = try StoredProviderTokens(store: scene.test.store, refresher: refresher, log: Self.quiet)
        guard
            case .token(let token) = reader.token(
                of: lena, from: [Self.corp], mayWait: true, at: scene.test.now)
        else {
            Issue.record("a previous key does not open it")
            return
        }
        #expect(token == Array(Self.access.utf8))
        try scene.test.reopen(masterKey: 9)
        let blind = try StoredProviderTokens(store: scene.test.store, refresher: refresher, log: Self.quiet)
        guard case .none = blind.token(of: lena, from: [Self.corp], mayWait: true, at: scene.test.now) else {
            Issue.record("opened without its key")
            return
        }
    }

    @Test func oneThatWasMovedToAnotherSessionIsNotOpened() async throws {
        let lena = try await enter("1", tokens())
        let otto = try await enter("2", nil)
        let (from, to) = (try #require(lena.session), try #require(otto.session))
        try scene.test.tamper { transaction in
            var record = try #require(try Tables.providerTokens.get(from, in: transaction))
            record.userID = otto.subject
            try Tables.providerTokens.put(record, for: to, in: transaction)
        }
        #expect(token(otto) == nil && token(lena) == Self.access)
    }

    @Test func theyWaitForASecondFactorAndAreKeptWithTheSession() async throws {
        let (authenticator, _, _) = try await scene.accounts.enrolled(scene.operations)
        var identity = FederatedIdentity(
            provider: "corp", issuer: "https://idp.example", subject: "1", email: EmailAddress("ada@example.com"),
            emailIsVerified: true)
        identity.tokens = tokens()
        var partial: PartialSignIn?
        do {
            _ = try await scene.operations.signIn(
                by: identity, FederationTerms(claimedDomains: ["example.com"]), as: .page(remember: false),
                from: scene.client)
        } catch {
            partial = error.partial
        }
        #expect(try rows() == 0)
        let code = try authenticator.code(at: scene.test.now)
        let signedIn = try await scene.operations.finishSignIn(
            try #require(partial), code: code, from: scene.client)
        let ada = Identity(
            kind: .session, credentialID: signedIn.session, subject: signedIn.user.id, user: signedIn.user.username,
            session: signedIn.session)
        #expect(token(ada) == Self.access)
    }

    @Test func aNewProofAtTheSameProviderBringsNewOnes() async throws {
        let lena = try await enter("1", tokens())
        let principal = Principal(userID: lena.subject, session: try #require(lena.session), usesCookie: true)
        for (subject, isTheirs) in [("1", true), ("2", false)] {
            var identity = FederatedIdentity(
                provider: "corp", issuer: "https://idp.example", subject: subject, email: nil, emailIsVerified: false,
                authenticatedAt: scene.test.now)
            identity.tokens = tokens("proof-of-\(subject)")
            let proof = identity
            let outcome = await refusal {
                _ = try await scene.operations.reauthenticate(principal, by: proof, from: scene.client)
            }
            #expect((outcome == nil) == isTheirs && token(lena) == "proof-of-1")
        }
    }

    // MARK: Their end

    @Test(arguments: ["sign out", "revoke", "user", "disable", "delete", "logout"])
    func theyGoWithTheSession(_ how: String) async throws {
        let lena = try await enter("1", tokens())
        let other = try await enter("2", tokens("other"))
        #expect(token(lena) != nil)
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
        #expect(token(lena) == nil && token(other) == "other")
        #expect(try scene.store.check().isEmpty)
        #expect(try rows() == 1)
    }

    @Test func upkeepRemovesWhatNobodyMayHaveAnyMore() async throws {
        let lena = try await enter("1", tokens())
        _ = try await enter("2", tokens(refresh: nil, lasts: .seconds(60)))
        #expect(try scene.store.dropProviderTokens(besides: [Self.corp]) == 0)
        scene.test.clock.advance(.seconds(120))
        #expect(try scene.store.dropProviderTokens(besides: [Self.corp]) == 1)
        #expect(token(lena) != nil)
        // Idle for twelve hours by default.
        scene.test.clock.advance(.seconds(13 * 3600))
        #expect(try scene.store.dropProviderTokens(besides: [Self.corp]) == 1)
        _ = try await enter("3", tokens())
        #expect(try scene.store.dropProviderTokens(besides: []) == 1)
        #expect(try rows() == 0)
    }

    // MARK: Refreshing

    @Test func aTokenThatEndsSoonIsRefreshedOnceForAllWhoWait() async throws {
        let lena = try await enter("1", tokens())
        scene.test.clock.advance(.seconds(530))
        #expect(await waited(lena) == Self.access && renewals.asked.isEmpty)
        scene.test.clock.advance(.seconds(20))
        renewals.will(.renewed(tokens("second", refresh: "rotated")))
        let held = (0..<20).map { _ in reader.token(of: lena, from: [Self.corp], mayWait: true, at: scene.test.now) }
        for reading in held {
            guard case .pending(let pending) = reading else { continue }
            await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
        }
        #expect(token(lena) == "second" && renewals.asked == [Self.refresh])
        // The one that came with it is used next, and one without a successor again.
        for (asked, refresh) in [("rotated", nil), ("rotated", nil)] as [(String, String?)] {
            scene.test.clock.advance(.seconds(590))
            renewals.will(.renewed(tokens("later", refresh: refresh)))
            #expect(await waited(lena) == "later" && renewals.asked.last == asked)
        }
    }

    @Test func aProviderThatFailsIsAskedAgainLaterAndNothingStaleGoesOn() async throws {
        let lena = try await enter("1", tokens())
        scene.test.clock.advance(.seconds(550))
        #expect(await waited(lena) == Self.access && renewals.asked.count == 1)
        // Not for every request.
        #expect(await waited(lena) == Self.access && renewals.asked.count == 1)
        scene.test.clock.advance(.seconds(60))
        #expect(await waited(lena) == nil && renewals.asked.count == 2)
        #expect(await waited(lena) == nil && renewals.asked.count == 2)
        scene.test.clock.advance(.seconds(20))
        renewals.will(.renewed(tokens("back")))
        #expect(await waited(lena) == "back")
    }

    @Test func oneThatIsOverAtOnceIsNotAskedForAgainAndAgain() async throws {
        let lena = try await enter("1", tokens(lasts: .zero))
        renewals.will(.renewed(tokens("over", lasts: .zero)), .renewed(tokens("over", lasts: .seconds(-5))))
        for _ in 0..<5 { #expect(await waited(lena) == nil) }
        #expect(renewals.asked.count == 1)
    }

    @Test func aTokenThatTheProviderHasEndedIsDroppedAndTheSessionStays() async throws {
        let lena = try await enter("1", tokens())
        scene.test.clock.advance(.seconds(590))
        renewals.will(.ended("invalid_grant"))
        #expect(await waited(lena) == nil)
        #expect(try rows() == 0)
        let event = try #require(try scene.test.events().first)
        #expect(event.type == "provider_tokens_dropped" && event.reason == "invalid_grant")
        #expect(event.userID == lena.subject && event.session == lena.session)
        #expect(try scene.store.sessions(user: lena.subject).map(\.id) == [lena.session])
        #expect(await waited(lena) == nil && renewals.asked.count == 1)
    }

    @Test func aSessionThatEndsDuringItsRefreshKeepsNothing() async throws {
        let lena = try await enter("1", tokens())
        scene.test.clock.advance(.seconds(590))
        let session = try #require(lena.session)
        let store = scene.store
        let late = tokens("too late")
        let refresher = ProviderTokenRefresher(store: store, log: Self.quiet) { _, _, _ in
            _ = try? store.revokeSession(session, by: TestStore.cli)
            return .renewed(late)
        }
        let pending = try #require(refresher.refresh(session, at: scene.test.now))
        await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
        #expect(try rows() == 0 && token(lena) == nil)
        await refresher.stop()
        #expect(refresher.refresh(session, at: scene.test.now) == nil)
    }

    @Test func oneThatIsSealedAnewDuringItsRefreshIsReplaced() async throws {
        let lena = try await enter("1", tokens())
        scene.test.clock.advance(.seconds(590))
        let session = try #require(lena.session)
        let store = scene.store
        let new = tokens("new")
        let refresher = ProviderTokenRefresher(store: store, log: Self.quiet) { _, _, _ in
            do {
                try await store.writing { transaction in
                    var record = try #require(try Tables.providerTokens.get(session, in: transaction))
                    let opened = try store.open(record, session: session)
                    let plain = ProviderTokensRecord.Content(
                        access: opened.access.withUnsafeBytes { String(decoding: $0, as: UTF8.self) },
                        refresh: opened.refresh?.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
                    let before = record.sealed
                    record.sealed = Base64.encode(
                        try store.masterKeys().seal(
                            try JSON.encode(plain), in: .providerTokens, key: session))
                    #expect(record.sealed != before)
                    try Tables.providerTokens.put(record, for: session, in: transaction)
                }
            } catch {
                Issue.record(error)
            }
            return .renewed(new)
        }
        let pending = try #require(refresher.refresh(session, at: scene.test.now))
        await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
        #expect(token(lena) == "new")
    }

    @Test func unlinkingTakesItFromTheSessionThatStays() async throws {
        let lena = try await enter("1", tokens())
        // Another way in, without which the link stays.
        try scene.test.tamper { transaction in
            let password = PasswordRecord(hash: "$argon2id$x", changedAt: Timestamp(seconds: 0))
            try Tables.passwords.put(password, for: lena.subject, in: transaction)
        }
        let principal = Principal(userID: lena.subject, session: try #require(lena.session), usesCookie: true)
        let links = try scene.operations.socialAccounts(of: principal)
        #expect(token(lena) == Self.access)
        try await scene.operations.unlink(try #require(links.first).id, of: principal, from: scene.client)
        #expect(try scene.store.sessions(user: lena.subject).map(\.id) == [lena.session])
        #expect(try token(lena) == nil && rows() == 0)
    }

    @Test func withoutAnExpiryOrARefreshTokenNothingIsAskedFor() async throws {
        let forever = try await enter("1", tokens(lasts: nil))
        let once = try await enter("2", tokens("once", refresh: nil))
        scene.test.clock.advance(.seconds(599))
        #expect(await waited(forever) == Self.access)
        #expect(await waited(once) == "once")
        scene.test.clock.advance(.seconds(1))
        #expect(await waited(forever) == Self.access)
        #expect(await waited(once) == nil)
        #expect(renewals.asked.isEmpty)
    }

    // MARK: Pure

    @Test func theScheduleLeavesAnAppTimeAndNoTokenPastItsEnd() {
        let start = Timestamp(seconds: 1000)
        func state(_ lifetime: Int64, at second: Int64, refreshable: Bool = true) -> TokenSchedule.State {
            TokenSchedule(
                obtainedAt: start, expiresAt: start + .seconds(lifetime), isRefreshable: refreshable
            ).state(at: start + .seconds(second))
        }
        #expect(state(3600, at: 0) == .fresh && state(3600, at: 3539) == .fresh && state(3600, at: 3540) == .due)
        #expect(state(3600, at: 3599) == .due && state(3600, at: 3600) == .over && state(3600, at: 9999) == .over)
        #expect(state(40, at: 29) == .fresh && state(40, at: 30) == .due)
        #expect(state(3600, at: 3599, refreshable: false) == .fresh)
        #expect(state(0, at: 0) == .over && state(-10, at: 0) == .over)
        #expect(
            TokenSchedule(obtainedAt: start, expiresAt: nil, isRefreshable: true).state(at: start + .seconds(1 << 40))
                == .fresh)
        #expect(state(.max / 1000, at: 5) == .fresh)
    }

    @Test func thePauseGrowsAndHasAnEnd() {
        var pause = RefreshPause()
        let start = Timestamp(seconds: 1000)
        #expect(!pause.holds(at: start))
        var lengths: [Int64] = []
        for _ in 0..<80 {
            pause.failed(at: start)
            lengths.append((pause.until - start).wholeMilliseconds / 1000)
        }
        #expect(lengths.prefix(7) == [5, 10, 20, 40, 80, 160, 300] && lengths.last == 300)
        #expect(pause.holds(at: start) && !pause.holds(at: start + .seconds(300)))
        #expect(!pause.holds(at: start - .seconds(3600)))
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
