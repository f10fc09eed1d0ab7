import Core
import Glibc
import Synchronization
import Testing

@Suite struct SchedulingTests {
    private struct Standing: Equatable, Sendable {
        let policy = sched_getscheduler(0)
        let niceness = nice(0)
    }

    @Test func aThreadThatTakesShortTurnsKeepsItsPolicyAndNiceValue() async throws {
        let (before, after, taken) = await withCheckedContinuation { continuation in
            NamedThread.start(name: "test-turns", niceness: 3) {
                let before = Standing()
                let taken = Scheduling.takeTurns(of: .microseconds(100))
                continuation.resume(returning: (before, Standing(), taken))
            }
        }
        #expect(taken)
        #expect(before == after)
        #expect(before.niceness == 3 + nice(0))
    }
}
