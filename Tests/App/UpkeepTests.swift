import Accounts
import Core
import Glibc
import Logging
import Synchronization
import Testing

@testable import App

/// What the server does beside answering.
@Suite struct UpkeepTests {
    private final class Progress: Sendable {
        let isOver = Atomic<Bool>(false)
        let rounds = Atomic<Int>(0)
    }

    /// Minutes of removing must keep neither the rings of refusals nor readiness waiting.
    @Test func whatTakesLongHoldsNothingElseUp() async throws {
        var template = Array("/tmp/gatehouse-upkeep-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["data.mdb", "lock.mdb", "gatehouse.lock"] { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        let store = try Store.open(
            Store.Configuration(
                dataFolder: folder, publicURL: "https://auth.example.com", maximumSize: 256 << 20, masterKeys: nil),
            clock: SystemClock())
        defer { store.close() }
        let (pool, cleaning) = (
            WorkerPool(name: "pool", threads: 1, capacity: 8), WorkerPool(name: "cleaning", threads: 1, capacity: 8)
        )
        let progress = Progress()
        try #require(cleaning.submit { while !progress.isOver.load(ordering: .acquiring) { usleep(1000) } })
        let upkeep = Upkeep(
            store: store, decisions: DecisionLog(store: store), limiter: RateLimiter(), retention: { .seconds(3600) },
            forwardedTokens: { [] }, clock: SystemClock(), lastEvent: nil,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            refreshCertificates: { progress.rounds.add(1, ordering: .relaxed) }, sweepPages: {}, keepControl: {})
        let running = Task { await upkeep.run(on: pool, cleaning: cleaning) }
        let deadline = ContinuousClock.now + .seconds(60)
        while progress.rounds.load(ordering: .relaxed) < 2, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(progress.rounds.load(ordering: .relaxed) >= 2)
        running.cancel()
        progress.isOver.store(true, ordering: .releasing)
        await running.value
        pool.stop()
        cleaning.stop()
    }
}
