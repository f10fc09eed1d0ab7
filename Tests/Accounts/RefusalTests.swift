import Core
import LMDB
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
        #expect(try log.refusal(of: "one")?.subject == "usr_ada")
        try log.drain()
        let kept = try #require(try test.store.refusals(of: "one").first)
        #expect(kept.reason == "group_missing" && kept.rule == 3 && kept.path == "/page" && kept.user == "ada")
        #expect(try log.refusal(of: "one") == kept)
        #expect(try log.refusal(of: "two") == nil)
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
            for index in 0..<3000 { sink.denied(denial("\(second)-\(index)", at: test.now)) }
            try log.drain()
            test.clock.advance(.seconds(60))
        }
        let rows = try test.store.read { transaction in
            (try Tables.refusals.count(in: transaction), try Tables.refusalsByID.count(in: transaction))
        }
        #expect(rows.0 == 10_000 && rows.1 == 10_000)
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
        for index in 0..<50_000 { backlog.add(denial("\(index)", at: now)) }
        #expect(backlog.newest(of: "49999") != nil && backlog.newest(of: "0") == nil)
        let due = backlog.due(at: now)
        #expect(due.count == RefusalBacklog.burst)
        #expect(due.last?.requestID == "49999")
        // Nothing was written: it is the same again.
        #expect(backlog.due(at: now).count == due.count)
        backlog.removeDue(due.count, at: now)
        #expect(backlog.due(at: now).isEmpty)
        backlog.add(denial("later", at: now))
        #expect(backlog.due(at: now).isEmpty)
    }
}
