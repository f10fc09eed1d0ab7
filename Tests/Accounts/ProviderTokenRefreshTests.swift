import Core
import LMDB
import Testing

@testable import Accounts

/// New tokens of providers for old ones: once for all who wait, few at once at a provider, and never one that is stale.
@Suite struct ProviderTokenRefreshTests {
    private let it: TokenScene
    private var scene: FederationScene { it.scene }

    init() throws { it = try TokenScene() }

    // MARK: Refreshing

    @Test func aTokenThatEndsSoonIsRefreshedOnceForAllWhoWait() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(530))
        #expect(await it.waited(lena) == TokenScene.access && it.renewals.asked.isEmpty)
        scene.test.clock.advance(.seconds(20))
        it.renewals.will(.renewed(it.tokens("second", refresh: "rotated")))
        // Nobody waits for it while the old one is good.
        for _ in 0..<20 { #expect(it.token(lena, mayWait: true) != nil) }
        await it.landed(lena)
        #expect(it.token(lena) == "second" && it.renewals.asked == [TokenScene.refresh])
        // The one that came with it is used next, and one without a successor again.
        for (asked, refresh) in [("rotated", nil), ("rotated", nil)] as [(String, String?)] {
            scene.test.clock.advance(.seconds(590))
            it.renewals.will(.renewed(it.tokens("later", refresh: refresh)))
            #expect(await it.waited(lena) == "later" && it.renewals.asked.last == asked)
        }
    }

    @Test func allWhoComeBehindItsEndWaitForTheSameRefresh() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(600))
        let held = HeldRenewals(.renewed(it.tokens("second")))
        let refresher = ProviderTokenRefresher(store: scene.store, log: TokenScene.quiet, renew: held.renew)
        let reader = try StoredProviderTokens(store: scene.store, refresher: refresher, log: TokenScene.quiet)
        var waiting: [PendingReading] = []
        for _ in 0..<20 {
            let reading = reader.token(of: lena, from: [TokenScene.corp], mayWait: true, at: scene.test.now)
            if case .pending(let pending) = reading { waiting.append(pending) }
        }
        #expect(waiting.count == 20)
        held.release()
        for pending in waiting { await TokenScene.ready(pending) }
        #expect(it.token(lena) == "second" && held.asked.count == 1)
    }

    @Test func oneThatHangsKeepsNoOtherProviderWaiting() async throws {
        let held = HeldRenewals(.unavailable("nobody answers"), of: "corp", others: .renewed(it.tokens("other")))
        let refresher = ProviderTokenRefresher(store: scene.store, log: TokenScene.quiet, renew: held.renew)
        let other = TokenProvider(id: "other", issuer: TokenScene.corp.issuer)
        var waiting: [PendingReading] = []
        for index in 0..<10 {
            let session = try #require(try await it.enter("\(index)", it.tokens(lasts: .zero)).session)
            waiting.append(try #require(refresher.refresh(session, by: TokenScene.corp, at: scene.test.now)))
        }
        while held.asked.count < ProviderTokenRefresher.flightsOfProvider { await Task.yield() }
        let lena = try await it.enter("lena", it.tokens(lasts: .zero), by: "other")
        let session = try #require(lena.session)
        let theirs = try #require(refresher.refresh(session, by: other, at: scene.test.now))
        await TokenScene.ready(theirs)
        #expect(it.token(lena, from: [other]) == "other")
        #expect(held.asked.filter { $0 == "corp" }.count == ProviderTokenRefresher.flightsOfProvider)
        held.release()
        for pending in waiting { await TokenScene.ready(pending) }
        // Those in line were sent away, and others do not come for a while.
        #expect(held.asked.filter { $0 == "corp" }.count == ProviderTokenRefresher.flightsOfProvider)
        let late = try #require(try await it.enter("late", it.tokens(lasts: .zero)).session)
        #expect(refresher.refresh(late, by: TokenScene.corp, at: scene.test.now) == nil)
        scene.test.clock.advance(.seconds(5))
        let again = try #require(refresher.refresh(late, by: TokenScene.corp, at: scene.test.now))
        await TokenScene.ready(again)
        #expect(held.asked.filter { $0 == "corp" }.count == ProviderTokenRefresher.flightsOfProvider + 1)
    }

    @Test func aStopDoesNotWaitForOneThatHangs() async throws {
        let held = HeldRenewals(.failed("at last"))
        let refresher = ProviderTokenRefresher(store: scene.store, log: TokenScene.quiet, renew: held.renew)
        var waiting: [PendingReading] = []
        for index in 0..<5 {
            let session = try #require(try await it.enter("\(index)", it.tokens(lasts: .zero)).session)
            waiting.append(try #require(refresher.refresh(session, by: TokenScene.corp, at: scene.test.now)))
        }
        while held.asked.count < ProviderTokenRefresher.flightsOfProvider { await Task.yield() }
        await refresher.stop(waiting: .milliseconds(1))
        // Those that stood in line are told at once, and are not sent.
        for pending in waiting[ProviderTokenRefresher.flightsOfProvider...] { await TokenScene.ready(pending) }
        held.release()
        for pending in waiting { await TokenScene.ready(pending) }
        #expect(held.asked.count == ProviderTokenRefresher.flightsOfProvider)
        await refresher.stop(waiting: .seconds(3600))
    }

    @Test func aRefreshTokenIsKeptWhoseAccessTokenIsWithheld() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(550))
        it.renewals.will(.withheld(SecretBytes(copying: "next".utf8), "no key"))
        #expect(await it.waited(lena) == TokenScene.access)
        scene.test.clock.advance(.seconds(50))
        it.renewals.will(.renewed(it.tokens("third")))
        #expect(await it.waited(lena) == "third" && it.renewals.asked == [TokenScene.refresh, "next"])
    }

    @Test func aProviderThatFailsIsAskedAgainLaterAndNothingStaleGoesOn() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(550))
        #expect(await it.waited(lena) == TokenScene.access && it.renewals.asked.count == 1)
        // Not for every request.
        #expect(await it.waited(lena) == TokenScene.access && it.renewals.asked.count == 1)
        scene.test.clock.advance(.seconds(60))
        #expect(await it.waited(lena) == nil && it.renewals.asked.count == 2)
        #expect(await it.waited(lena) == nil && it.renewals.asked.count == 2)
        scene.test.clock.advance(.seconds(20))
        it.renewals.will(.renewed(it.tokens("back")))
        #expect(await it.waited(lena) == "back")
    }

    @Test func oneThatIsOverAtOnceIsNotAskedForAgainAndAgain() async throws {
        let lena = try await it.enter("1", it.tokens(lasts: .zero))
        it.renewals.will(.renewed(it.tokens("over", lasts: .zero)), .renewed(it.tokens("over", lasts: .seconds(-5))))
        for _ in 0..<5 { #expect(await it.waited(lena) == nil) }
        #expect(it.renewals.asked.count == 1)
    }

    @Test func aTokenThatTheProviderHasEndedIsDroppedAndTheSessionStays() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(590))
        it.renewals.will(.ended("invalid_grant"))
        #expect(await it.waited(lena) == nil)
        #expect(try it.rows() == 0)
        let event = try #require(try scene.test.events().first)
        #expect(event.type == "provider_tokens_dropped" && event.reason == "invalid_grant")
        #expect(event.userID == lena.subject && event.session == lena.session)
        #expect(try scene.store.sessions(user: lena.subject).map(\.id) == [lena.session])
        #expect(await it.waited(lena) == nil && it.renewals.asked.count == 1)
    }

    @Test func aSessionThatEndsDuringItsRefreshKeepsNothing() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(590))
        let session = try #require(lena.session)
        let store = scene.store
        let late = it.tokens("too late")
        let refresher = ProviderTokenRefresher(store: store, log: TokenScene.quiet) { _, _, _ in
            _ = try? store.revokeSession(session, by: TestStore.cli)
            return .renewed(late)
        }
        let pending = try #require(refresher.refresh(session, by: TokenScene.corp, at: scene.test.now))
        await TokenScene.ready(pending)
        #expect(try it.rows() == 0 && it.token(lena) == nil)
        await refresher.stop(waiting: .seconds(60))
        #expect(refresher.refresh(session, by: TokenScene.corp, at: scene.test.now) == nil)
    }

    @Test func oneThatIsSealedAnewDuringItsRefreshIsReplaced() async throws {
        let lena = try await it.enter("1", it.tokens())
        scene.test.clock.advance(.seconds(590))
        let session = try #require(lena.session)
        let store = scene.store
        let new = it.tokens("new")
        let refresher = ProviderTokenRefresher(store: store, log: TokenScene.quiet) { _, _, _ in
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
        let pending = try #require(refresher.refresh(session, by: TokenScene.corp, at: scene.test.now))
        await TokenScene.ready(pending)
        #expect(it.token(lena) == "new")
    }

    @Test func withoutAnExpiryOrARefreshTokenNothingIsAskedFor() async throws {
        let forever = try await it.enter("1", it.tokens(lasts: nil))
        let once = try await it.enter("2", it.tokens("once", refresh: nil))
        scene.test.clock.advance(.seconds(599))
        #expect(await it.waited(forever) == TokenScene.access)
        #expect(await it.waited(once) == "once")
        scene.test.clock.advance(.seconds(1))
        #expect(await it.waited(forever) == TokenScene.access)
        #expect(await it.waited(once) == nil)
        #expect(it.renewals.asked.isEmpty)
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

    @Test func aLaneLetsFewThroughAndSendsAwayWhoWaitsForNobody() {
        let now = Timestamp(seconds: 1000)
        var lane = RefreshLane(width: 2)
        #expect(["a", "b", "c", "d"].map { lane.enter($0, at: now) } == [.begins, .begins, .waits, .waits])
        #expect(lane.leave(wasThere: true, at: now) == .begins("c"))
        #expect(lane.leave(wasThere: false, at: now) == .sentAway(["d"]) && lane.enter("e", at: now) == nil)
        // The other one that hung is the same failure.
        let until = lane.pause.until
        #expect(lane.leave(wasThere: false, at: now) == .nothing && lane.pause.until == until)
        let later = now + .seconds(5)
        #expect(lane.enter("e", at: later) == .begins && lane.leave(wasThere: false, at: later) == .nothing)
        #expect(lane.pause.until == later + .seconds(10))
        for _ in 0..<10 { _ = lane.leave(wasThere: false, at: lane.pause.until) }
        let end = lane.pause.until
        _ = lane.leave(wasThere: false, at: end)
        #expect(lane.pause.until == end + .seconds(30))
        var full = RefreshLane(width: 1)
        let entries = (0...RefreshLane.maximumQueue + 1).map { full.enter("\($0)", at: now) }
        #expect(entries.first == .begins && entries.last == .some(nil) && entries.dropLast().allSatisfy { $0 != nil })
        #expect(full.clear().count == RefreshLane.maximumQueue && full.leave(wasThere: true, at: now) == .idle)
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
}
