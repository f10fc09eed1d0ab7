import Core
import Testing

@testable import Proxy

/// The value as something that an expectation may change.
private final class Standing {
    private var value = Ejection()

    var outUntil: Int64? { value.outUntil }

    func failed(_ fault: Ejection.Fault, at now: Int64, jitter: Double) -> Ejection.Change {
        value.failed(fault, at: now, jitter: jitter)
    }

    func succeeded(at now: Int64) -> Ejection.Change { value.succeeded(at: now) }

    func takeProbe(at now: Int64) -> Bool { value.takeProbe(at: now) }
}

/// Likewise.
private final class Checked {
    private var value = CheckedHealth()

    var isWell: Bool { value.isWell }

    func note(isWell: Bool) -> CheckedHealth.Change { value.note(isWell: isWell) }
}

/// When a server is passed over and looked up, as values.
struct EjectionTests {
    @Test func onlyFailuresInARowPutAServerOut() {
        let ejection = Standing()
        for now in Int64(0)..<10 {
            #expect(ejection.failed(.unanswered, at: now, jitter: 0) == .none)
            #expect(ejection.failed(.unanswered, at: now, jitter: 0) == .none)
            #expect(ejection.succeeded(at: now) == .none)
        }
        for _ in 1..<Ejection.patience { #expect(ejection.failed(.unanswered, at: 20, jitter: 0) == .none) }
        #expect(ejection.failed(.unanswered, at: 20, jitter: 0) == .ejected(2_000))
        #expect(ejection.outUntil == 2_020)
    }

    @Test func noConnectionIsEnough() {
        let ejection = Standing()
        #expect(ejection.failed(.unreachable, at: 0, jitter: 0) == .ejected(2_000))
    }

    @Test func thePauseGrowsToAMinuteAndOnlyWithTheOneThatWasLetIn() {
        let ejection = Standing()
        _ = ejection.failed(.unreachable, at: 0, jitter: 0)
        for pause in [4_000, 8_000, 16_000, 32_000, 60_000, 60_000] as [Int64] {
            let end = ejection.outUntil ?? 0
            #expect(!ejection.takeProbe(at: end - 1))
            #expect(ejection.takeProbe(at: end))
            #expect(!ejection.takeProbe(at: end), "one is let in")
            #expect(ejection.failed(.unreachable, at: end + 5, jitter: 0) == .none)
            #expect(ejection.outUntil == end + 5 + pause)
            // Others that were under way say nothing new.
            #expect(ejection.failed(.unreachable, at: end + 6, jitter: 0) == .none)
            #expect(ejection.outUntil == end + 5 + pause)
        }
    }

    @Test func aProbeThatNeverReportsIsFollowedByAnother() {
        let ejection = Standing()
        _ = ejection.failed(.unreachable, at: 0, jitter: 0)
        #expect(ejection.takeProbe(at: 2_000))
        #expect(!ejection.takeProbe(at: 3_999))
        #expect(ejection.takeProbe(at: 4_000))
    }

    @Test func anAnswerBringsItBack() {
        let ejection = Standing()
        _ = ejection.failed(.unreachable, at: 0, jitter: 0)
        #expect(ejection.succeeded(at: 100) == .returned)
        #expect(ejection.outUntil == nil)
        #expect(ejection.succeeded(at: 101) == .none)
        // Soon after, the pause is longer; after a good minute it is the shortest again.
        #expect(ejection.failed(.unreachable, at: 200, jitter: 0) == .ejected(4_000))
        #expect(ejection.succeeded(at: 300) == .returned)
        #expect(ejection.failed(.unreachable, at: 300 + Ejection.longest + 1, jitter: 0) == .ejected(2_000))
    }

    @Test func jitterOnlyShortens() {
        for jitter in [-1, 0, 0.5, 1, 2] as [Double] {
            let ejection = Standing()
            guard case .ejected(let pause) = ejection.failed(.unreachable, at: 0, jitter: jitter) else {
                Issue.record("it stays in")
                continue
            }
            #expect((1_500...2_000).contains(pause))
        }
    }

    @Test func twoChecksInARowPutAServerOutAndOneBringsItBack() {
        let health = Checked()
        #expect(health.note(isWell: false) == .none)
        #expect(health.note(isWell: true) == .none)
        #expect(health.note(isWell: false) == .none)
        #expect(health.isWell)
        #expect(health.note(isWell: false) == .fellIll)
        #expect(health.note(isWell: false) == .none)
        #expect(health.note(isWell: true) == .recovered)
        #expect(health.isWell)
    }

    @Test func aRecoveredServerIsForgivenWhatTrafficFound() {
        let server = UpstreamServer(.tcp(host: "127.0.0.1", port: 1))
        _ = server.failed(.unreachable, at: 0, jitter: 0)
        _ = server.checked(isWell: false)
        _ = server.checked(isWell: false)
        #expect(server.isIll && server.pausedUntil != nil)
        _ = server.checked(isWell: true)
        #expect(!server.isIll && server.pausedUntil == nil)
    }

    @Test func aNameIsLookedUpByOneAtATimeAndNotTooOften() throws {
        let lookup = NameLookup("app.internal")
        #expect(lookup.isDue(0) && lookup.begin(0))
        #expect(!lookup.isDue(10) && !lookup.begin(10))
        let address = try #require(IPAddress("10.0.0.1"))
        let other = try #require(IPAddress("10.0.0.2"))
        #expect(lookup.end(.success([address, other]), at: 20).0 == .addresses([address, other]))
        #expect(!lookup.isDue(20 + NameLookup.interval - 1) && lookup.isDue(20 + NameLookup.interval))
        lookup.hasten(30)
        #expect(!lookup.isDue(20 + NameLookup.pause - 1), "at most once a second")
        #expect(lookup.begin(20 + NameLookup.pause))
        #expect(lookup.end(.success([other, address]), at: 2_000).0 == .none, "only the order changed")
        #expect(lookup.begin(40_000))
        #expect(lookup.end(.failure(NameResolutionError("gone")), at: 40_000).0 == .failed("gone"))
        #expect(lookup.addresses == [address, other], "known addresses stay")
        #expect(lookup.begin(40_000 + NameLookup.afterFailure))
        #expect(lookup.end(.failure(NameResolutionError("gone")), at: 50_000).0 == .none, "said once")
        #expect(lookup.begin(60_000))
        #expect(lookup.end(.success([address, other]), at: 60_000).0 == .recovered)
    }

    @Test func theSystemKnowsItself() throws {
        let found = try SystemResolver().addresses(of: "localhost")
        #expect(found.contains { $0 == IPAddress("127.0.0.1") || $0 == IPAddress("::1") })
        #expect(throws: NameResolutionError.self) { try SystemResolver().addresses(of: "nowhere.invalid") }
    }
}
