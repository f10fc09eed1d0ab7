import Core
import Glibc
import LMDB
import Synchronization
import Testing

@testable import Accounts

@Suite struct RefusalTests {
    private func denial(
        _ id: String, user: String? = nil, address: String = "192.0.2.1", path: String = "/page", at: Timestamp
    ) -> Denial {
        Denial(
            reason: .groupMissing, route: "wiki", user: user, subject: user.map { "usr_\($0)" }, credentialID: nil,
            address: IPAddress(address), requestID: id, at: at,
            asked: RefusedRequest(
                method: "GET", host: "wiki.example.com", path: path, rule: 3, verdict: "deny", shape: "inline"))
    }

    @Test func aRefusalIsKeptForADay() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        sink.denied(denial("one", user: "ada", at: test.now))
        // Before it is written it is known to the pages of this process only.
        #expect(try test.store.refusals(of: "one").isEmpty)
        #expect(try log.refusal(of: "one", subject: "usr_ada")?.subject == "usr_ada")
        try log.drain()
        let kept = try #require(try test.store.refusals(of: "one").first)
        #expect(kept.reason == "group_missing" && kept.rule == 3 && kept.path == "/page" && kept.user == "ada")
        #expect(try log.refusal(of: "one", subject: "usr_ada") == kept)
        #expect(try log.refusal(of: "two", subject: "usr_ada") == nil)
        #expect(try log.refusal(of: "one", subject: "usr_bert") == nil)
        #expect(try test.store.refusals(of: "").isEmpty)

        test.clock.advance(.seconds(86_399))
        #expect(try test.store.sweepRefusals() == 0)
        #expect(try test.store.refusals(of: "one").count == 1)
        // Over at once, whenever the sweeper comes.
        test.clock.advance(.seconds(1))
        #expect(try test.store.refusals(of: "one").isEmpty)
        #expect(try test.store.sweepRefusals() == 1)
        #expect(try test.store.sweepRefusals() == 0)
        #expect(try test.store.read { try Tables.refusalsByID.count(in: $0) } == 0)
    }

    /// A client chooses its requests' ids: one that is used again hides nothing.
    @Test func ofOneIDAllAreTold() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        for index in 0..<20 { sink.denied(denial("same", path: "/\(index)", at: test.now)) }
        try log.drain()
        let found = try test.store.refusals(of: "same")
        #expect(found.map(\.path) == (4..<20).reversed().map { "/\($0)" })
    }

    @Test func theLastTenThousandAreKept() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        for second in 0..<4 {
            for index in 0..<3000 {
                sink.denied(denial("\(second)-\(index)", user: "user\(index % 100)", at: test.now))
            }
            try log.drain()
            test.clock.advance(.seconds(60))
        }
        let rows = try test.store.read { transaction in
            (try Tables.refusals.count(in: transaction), try Tables.refusalsByID.count(in: transaction))
        }
        #expect(rows.0 == 10_000 && rows.1 == 20_000)
        #expect(try test.store.refusals(of: "3-2999").count == 1)
        #expect(try test.store.refusals(of: "0-0").isEmpty)
    }

    /// What is written in the long run has a bound, and who is refused without end takes nobody else's share.
    @Test func aFloodIsNotWritten() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        for second in 0..<20 {
            for index in 0..<2000 { sink.denied(denial("flood-\(second)-\(index)", at: test.now)) }
            sink.denied(denial("mine-\(second)", user: "ada", at: test.now))
            try log.drain()
            test.clock.advance(.seconds(1))
        }
        let last = try test.store.read { try Tables.refusals.last(in: $0)?.0 } ?? 0
        #expect(last <= 10_000 + 20 * 50)
        for second in 0..<20 { #expect(try test.store.refusals(of: "mine-\(second)").count == 1, "\(second)") }
        #expect(log.lost == 0)
    }

    @Test func aLoopKeepsSoManyASecond() throws {
        let test = try TestStore()
        let sink = DecisionLog(store: test.store).makeSink()
        let kept = (0..<10_000).count { _ in sink.keepsRequest(at: test.now) }
        #expect(kept == 4096)
        #expect(sink.keepsRequest(at: test.now + .seconds(1)))
        // A clock that was set back.
        #expect(sink.keepsRequest(at: test.now))
    }

    @Test func whatCannotBeWrittenWaitsWithinBounds() throws {
        var backlog = RefusalBacklog()
        let now = Timestamp(milliseconds: 1_000_000)
        for index in 0..<50_000 { backlog.add(try #require(KeptRefusal(denial("\(index)", at: now)))) }
        #expect(backlog.newest(of: "49999", subject: nil) != nil && backlog.newest(of: "0", subject: nil) == nil)
        let due = backlog.take(at: now)
        #expect(due.count == RefusalBacklog.strangersBurst)
        #expect(due.last?.requestID == "49999")
        #expect(backlog.newest(of: "49999", subject: nil) != nil, "it is on its way")
        // Nothing was written: it is the same again.
        backlog.end(unwritten: due[...])
        #expect(backlog.take(at: now) == due)
        backlog.end()
        #expect(backlog.take(at: now).isEmpty)
        backlog.add(try #require(KeptRefusal(denial("later", at: now))))
        #expect(backlog.take(at: now).isEmpty)
        backlog.add(try #require(KeptRefusal(denial("ada's", user: "ada", at: now))))
        #expect(backlog.take(at: now).map(\.requestID) == ["ada's"])
    }

    /// Neither strangers, however long and from wherever they come, nor one person push out the others'.
    @Test func nobodyHasAllTheRows() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        sink.denied(denial("mine", user: "ada", at: test.now))
        try log.drain()
        for round in 0..<14 {
            for index in 0..<1000 {
                sink.denied(denial("s-\(round)-\(index)", address: "10.\(index % 250).\(round).1", at: test.now))
                if index % 10 == 0 { sink.denied(denial("e-\(round)-\(index)", user: "eve", at: test.now)) }
            }
            try log.drain()
            test.clock.advance(.seconds(30))
        }
        var ids: [String] = []
        try test.store.read { transaction in
            try Tables.refusals.forEach(in: transaction) { _, record, _ in
                ids.append(record.refusal.requestID)
                return true
            }
        }
        #expect(ids.contains("mine"))
        #expect(ids.count { $0.hasPrefix("s-") } == 5000 && ids.contains("s-13-999"))
        #expect(ids.count { $0.hasPrefix("e-") } == 500 && ids.contains("e-13-990"))
        // Those of people are also found by whose they are.
        let ofPeople = ids.count { !$0.hasPrefix("s-") }
        #expect(try test.store.read { try Tables.refusalsByID.count(in: $0) } == ids.count + ofPeople)
        // A server that starts again knows whose they are.
        let again = DecisionLog(store: test.store)
        let next = again.makeSink()
        for index in 0..<10 { next.denied(denial("n-\(index)", user: "eve", at: test.now)) }
        try again.drain()
        let eves = try test.store.read { transaction in
            var count = 0
            try Tables.refusals.forEach(in: transaction) { _, record, _ in
                if record.refusal.user == "eve" { count += 1 }
                return true
            }
            return count
        }
        #expect(eves == 500)
    }

    /// A client chooses its requests' ids: whoever uses somebody else's hides nothing from them.
    @Test func anIDUsedAgainHidesNothingFromItsOwner() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        sink.denied(denial("same", user: "ada", path: "/adas", at: test.now))
        for index in 0..<40 { sink.denied(denial("same", user: index % 2 == 0 ? nil : "eve", at: test.now)) }
        #expect(try log.refusal(of: "same", subject: "usr_ada")?.path == "/adas")
        try log.drain()
        #expect(try log.refusal(of: "same", subject: "usr_ada")?.path == "/adas")
    }

    private final class Gate: Sendable {
        let isHeld = Atomic(false)
        let isOpen = Atomic(false)
        let isThrough = Atomic(false)
    }

    /// Neither a refusal nor the page that tells of it waits for a write, however long that lasts.
    @Test func aPageWaitsForNoWrite() async throws {
        let test = try TestStore()
        let store = test.store
        let log = DecisionLog(store: store)
        let sink = log.makeSink()
        sink.denied(denial("one", user: "ada", at: test.now))
        let second = denial("two", user: "ada", at: test.now)
        let gate = Gate()
        let pool = WorkerPool(name: "test", threads: 3, capacity: 3)
        #expect(
            pool.submit {
                try? store.write { _ in
                    gate.isHeld.store(true, ordering: .releasing)
                    while !gate.isOpen.load(ordering: .acquiring) { sched_yield() }
                }
            })
        while !gate.isHeld.load(ordering: .acquiring) { await Task.yield() }
        #expect(pool.submit { try? log.drain(final: true) })
        // The drain has begun, and waits for the store.
        while log.writing.withLockIfAvailable({ _ in true }) == true { await Task.yield() }
        sink.denied(second)
        #expect(
            pool.submit {
                let found = try? log.refusal(of: "two", subject: "usr_ada")
                let first = try? log.refusal(of: "one", subject: "usr_ada")
                gate.isThrough.store(found != nil && first != nil && log.lost == 0, ordering: .releasing)
            })
        let patience = ContinuousClock.now + .seconds(20)
        while !gate.isThrough.load(ordering: .acquiring), ContinuousClock.now < patience { await Task.yield() }
        let isThrough = gate.isThrough.load(ordering: .acquiring)
        #expect(isThrough)
        gate.isOpen.store(true, ordering: .releasing)
        pool.stop()
        try log.drain()
        #expect(try store.refusals(of: "one").count == 1 && store.refusals(of: "two").count == 1)
    }

    /// What an operation has written down is not told a second time, but whoever asks about the request is told.
    @Test func whatHasAnEventOfItsOwnIsOnlyKept() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        var told = denial("told", user: "ada", at: test.now)
        told.isAudited = true
        sink.denied(told)
        sink.denied(denial("untold", user: "ada", at: test.now))
        try log.drain(final: true)
        var events: [AuditEvent] = []
        try test.store.auditEvents(AuditFilter(type: AuditEventType.requestDenied.rawValue)) {
            events.append($0)
            return true
        }
        #expect(events.map(\.requestID) == ["untold"] && events.first?.metadata["count"] == .integer(1))
        #expect(try test.store.refusals(of: "told").count == 1 && test.store.refusals(of: "untold").count == 1)
    }
}
