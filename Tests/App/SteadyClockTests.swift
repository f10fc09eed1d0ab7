import Core
import Testing

@testable import App

@Suite struct SteadyClockTests {
    private let start = Timestamp(seconds: 1_800_000_000)
    private let begin = ContinuousClock.now

    /// - Parameter moved: how far the wall clock is off by then.
    private func look(_ clock: inout SteadyClock, at seconds: Int64, moved: Duration = .zero) -> Duration? {
        clock.look(at: start + .seconds(seconds) + moved, begin + .seconds(seconds))
    }

    @Test(arguments: [500 * 86_400, 3601, -3601, -50 * 365 * 86_400])
    func aClockThatJumpsIsNotBelievedForADay(by: Int64) {
        var clock = SteadyClock(at: start, begin, lastEvent: start)
        var moved = look(&clock, at: 60)
        #expect(moved == nil && clock.isTrusted(at: begin + .seconds(60)))
        moved = look(&clock, at: 61, moved: .seconds(by))
        #expect(moved == .seconds(by) && !clock.isTrusted(at: begin + .seconds(61)))
        // What is off stays so, and is no further jump.
        moved = look(&clock, at: 3600, moved: .seconds(by))
        #expect(moved == nil)
        #expect(!clock.isTrusted(at: begin + .seconds(86_460)) && clock.isTrusted(at: begin + .seconds(86_461)))
        moved = look(&clock, at: 100_000)
        #expect(moved == .seconds(-by) && !clock.isTrusted(at: begin + .seconds(100_001)))
    }

    @Test func smallCorrectionsAndLongWaitsAreNoJumps() {
        var clock = SteadyClock(at: start, begin, lastEvent: nil)
        for (seconds, moved) in [(60, 0), (120, 3600), (180, 10), (40 * 86_400, -20)] as [(Int64, Int64)] {
            let jump = look(&clock, at: seconds, moved: .seconds(moved))
            #expect(jump == nil && clock.isTrusted(at: begin))
        }
    }

    @Test func aStartFarBehindTheLastEventIsNotBelieved() {
        let week = SteadyClock(at: start, begin, lastEvent: start - .seconds(7 * 86_400))
        #expect(week.isTrusted(at: begin))
        let late = SteadyClock(at: start, begin, lastEvent: start - .seconds(7 * 86_400 + 1))
        #expect(!late.isTrusted(at: begin) && late.isTrusted(at: begin + .seconds(86_400)))
        #expect(SteadyClock(at: start, begin, lastEvent: start + .seconds(9e8)).isTrusted(at: begin))
    }

    @Test func theFarthestTimesAreOnlyJumps() {
        var clock = SteadyClock(at: Timestamp(milliseconds: .min), begin, lastEvent: Timestamp(milliseconds: .max))
        for (number, time) in [Int64.max, .min].enumerated() {
            let moved = clock.look(at: Timestamp(milliseconds: time), begin + .seconds(number))
            #expect(moved != nil)
        }
    }
}
