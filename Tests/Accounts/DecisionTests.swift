import Core
import LMDB
import Testing

@testable import Accounts

@Suite struct DecisionTests {
    private func denial(
        _ reason: Reason = .ruleDenied, user: String? = nil, address: String = "192.0.2.1", route: String? = "wiki",
        at: Timestamp
    ) -> Denial {
        Denial(
            reason: reason, route: route, user: user, subject: user.map { "usr_\($0)" }, credentialID: nil,
            address: IPAddress(address), requestID: "r", at: at)
    }

    private func denials(_ test: TestStore) throws -> [AuditEvent] {
        try test.events(AuditFilter(type: "request_denied"))
    }

    @Test func denialsWithinTwoSecondsAreOneEvent() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        for index in 0..<100 {
            let address = "192.0.2.\(index % 4 + 1)"
            sink.denied(denial(address: address, at: test.now + .milliseconds(Int64(index))))
        }
        sink.denied(denial(.noRoute, route: nil, at: test.now))
        sink.denied(denial(user: "ada", at: test.now))
        sink.denied(denial(address: "198.51.100.1", at: test.now))
        try log.drain()
        #expect(try denials(test).isEmpty)
        test.clock.advance(.seconds(2))
        try log.drain()
        let events = try denials(test)
        #expect(events.count == 4)
        let many = try #require(events.first { $0.metadata["count"] == .integer(100) })
        #expect(many.reason == "rule_denied" && many.route == "wiki" && !many.success && many.ipAddress == nil)
        #expect(many.metadata["addresses"] == .strings(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]))
        #expect(many.metadata["first"] != many.metadata["last"])
        let ada = try #require(events.first { $0.user == "ada" })
        #expect(ada.actor == "ada" && ada.userID == "usr_ada" && ada.ipAddress == "192.0.2.1" && ada.requestID == "r")
        try log.drain(final: true)
        #expect(try denials(test).count == 4)
        #expect(log.lost == 0)
        #expect(try test.store.verifyAudit().problem == nil)
    }

    @Test func aLoopsNextSinkTakesOver() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        for _ in 0..<1000 {
            log.makeSink(capacity: 2048, loop: 0).denied(denial(at: test.now))
            log.makeSink(capacity: 2048, loop: 1, access: AccessGranularity.none).denied(denial(at: test.now))
        }
        try log.drain(final: true)
        #expect(try denials(test).first?.metadata["count"] == .integer(2000))
        #expect(log.lost == 0)
    }

    @Test func whatDoesNotFitIsCounted() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink(capacity: 8)
        for _ in 0..<20 { sink.denied(denial(at: test.now)) }
        #expect(log.lost == 12)
        try log.drain(final: true)
        #expect(try denials(test).first?.metadata["count"] == .integer(8))
        sink.denied(denial(at: test.now))
        #expect(log.lost == 12)
    }

    @Test func accessIsOneEventADayWithNumbersThatGrow() throws {
        let test = try TestStore()
        try test.addUser()
        let key = try test.addKey()
        let identity = try #require(try AccountReader(store: test.store).read(key.secret, at: test.now).identity)
        let log = DecisionLog(store: test.store)
        let sinks = [log.makeSink(), log.makeSink()]
        func pass(_ route: String = "wiki", _ address: String = "192.0.2.1") {
            for sink in sinks {
                sink.allowed(identity, route: route, address: IPAddress(address), at: test.now)
            }
        }
        pass()
        try log.drain()
        pass("wiki", "192.0.2.2")
        try log.drain()
        func access() throws -> [AuditEvent] { try test.events(AuditFilter(type: "access")) }
        #expect(try access().first?.metadata["count"] == .integer(2))
        test.clock.advance(.seconds(10))
        pass()
        pass("blog")
        try log.drain()
        let events = try access()
        #expect(events.map(\.route) == ["blog", "wiki"] || events.map(\.route) == ["wiki", "blog"])
        let wiki = try #require(events.first { $0.route == "wiki" })
        #expect(wiki.metadata["count"] == .integer(6))
        #expect(wiki.metadata["addresses"] == .strings(["192.0.2.1", "192.0.2.2"]))
        #expect(wiki.metadata["credential"] == .string(key.key.id) && wiki.userID == identity.subject)
        test.clock.advance(.seconds(86_400))
        pass()
        try log.drain(final: true)
        #expect(try access().count == 3)
        let rows = try test.store.accessReport()
        #expect(rows.count == 2)
        #expect(rows.first?.route == "wiki" && rows.first?.count == 8)
        #expect(try test.store.accessReport(user: "ada@example.com", route: "blog").map(\.count) == [2])
        #expect(try test.store.accessReport(user: "bob").isEmpty)
        #expect(try test.store.accessReport(from: test.now).map(\.count) == [2])
        #expect(try test.store.verifyAudit().problem == nil)
        #expect(try test.store.apiKey(key.key.id).lastUsedAt == test.now)
    }

    /// Our own pages are no app: a use of the credential, and no event.
    @Test func usesOfOurOwnPagesAreLastUsesAlone() throws {
        let test = try TestStore()
        try test.addUser()
        let key = try test.addKey()
        let identity = try #require(try AccountReader(store: test.store).read(key.secret, at: test.now).identity)
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        for _ in 0..<3 { sink.used(identity, address: IPAddress("192.0.2.9"), at: test.now) }
        try log.drain(final: true)
        #expect(try test.store.apiKey(key.key.id).lastUsedAt == test.now)
        #expect(try test.events(AuditFilter(type: "access")).isEmpty)
        test.clock.advance(.seconds(30))
        sink.used(identity, address: nil, at: test.now)
        sink.allowed(identity, route: "wiki", address: nil, at: test.now - .seconds(5))
        try log.drain(final: true)
        #expect(try test.store.apiKey(key.key.id).lastUsedAt == test.now)
        #expect(try test.events(AuditFilter(type: "access")).map(\.route) == ["wiki"])
    }

    @Test func withoutAnIdentityCacheACredentialIsStillOneRow() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink(capacity: 4)
        for user in ["ada", "bob"] {
            for _ in 0..<1000 {
                let identity = Identity(kind: .apiKey, credentialID: "key_\(user)", subject: user, user: user)
                sink.allowed(identity, route: "wiki", address: nil, at: test.now)
            }
        }
        try log.drain(final: true)
        #expect(try test.store.accessReport().map(\.count) == [1000, 1000])
        #expect(log.lost == 0)
    }

    @Test func granularities() throws {
        let time = try #require(Timestamp(rfc3339: "2027-01-15T08:30:01.5Z"))
        #expect(AccessGranularity.none.period(of: time) == nil)
        let day = try #require(AccessGranularity.daily.period(of: time))
        #expect(day.name == "2027-01-15" && day.start.rfc3339 == "2027-01-15T00:00:00.000Z")
        let hour = try #require(AccessGranularity.hourly.period(of: time))
        #expect(hour.name == "2027-01-15T08" && hour.end.rfc3339 == "2027-01-15T09:00:00.000Z")
        let before = try #require(AccessGranularity.daily.period(of: Timestamp(milliseconds: -1)))
        #expect(before.name == "1969-12-31" && before.start < Timestamp(milliseconds: -1))
        let test = try TestStore()
        let log = DecisionLog(store: test.store, access: .none)
        let identity = Identity(kind: .apiKey, credentialID: "key_1", subject: "usr_1", user: "ada")
        log.makeSink().allowed(identity, route: "wiki", address: nil, at: test.now)
        try log.drain(final: true)
        #expect(try test.store.accessReport().isEmpty && test.events().isEmpty)
    }

    @Test func manyLoopsAtOnceLoseNothing() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let now = test.now
        // Each thread owns a sink, as a loop does, while another one drains.
        concurrently(5) { thread in
            if thread == 0 {
                for _ in 0..<50 { try? log.drain() }
                return
            }
            let sink = log.makeSink(capacity: 100_000)
            let identity = Identity(kind: .jwt, credentialID: "t\(thread)", subject: "s", user: "ada")
            for index in 0..<10_000 {
                sink.allowed(identity, route: "r\(index % 3)", address: nil, at: now)
                if index % 10 == 0 {
                    sink.denied(
                        Denial(
                            reason: .ruleDenied, route: "wiki", user: "ada", subject: nil, credentialID: nil,
                            address: nil, requestID: "", at: now))
                }
            }
        }
        try log.drain(final: true)
        #expect(log.lost == 0)
        let count = try denials(test).reduce(Int64(0)) { sum, event in
            if case .integer(let count) = event.metadata["count"] { return sum + count }
            return sum
        }
        #expect(count == 4000)
        #expect(try test.store.accessReport().reduce(0) { $0 + $1.count } == 40_000)
    }

    @Test func whatCannotBeWrittenStaysForTheNextTime() throws {
        let test = try TestStore()
        let log = DecisionLog(store: test.store)
        let sink = log.makeSink()
        sink.denied(denial(at: test.now))
        try test.tamper { transaction in
            try Tables.audit.put(StoredEvent(bytes: Array("{}".utf8)), for: 1, in: transaction)
        }
        #expect(throws: AccountsError(.damaged, "")) { try log.drain(final: true) }
        try test.tamper { transaction in _ = try Tables.audit.delete(1, in: transaction) }
        try log.drain(final: true)
        #expect(try denials(test).count == 1)
    }
}
