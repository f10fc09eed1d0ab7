import Core
import Testing

@testable import Accounts

/// Refusals of very many networks: each could be an event, and the disk would be full before anybody noticed.
@Suite struct DenialFloodTests {
    private let start = Timestamp(seconds: 1_800_000_000)

    /// - Parameter network: a /64 each.
    private func denial(
        network: Int, user: String? = nil, reason: Reason = .signInRequired, at: Timestamp
    ) -> Denial {
        Denial(
            reason: reason, route: "wiki", user: user, subject: nil, credentialID: nil,
            address: IPAddress(v6: 0x2001_0db8 << 96 | UInt128(network) << 64 | 1), requestID: "r", at: at)
    }

    private func add(_ denial: Denial, to groups: inout DenialGroups) {
        if !groups.add(denial) { Issue.record("there is no place for it") }
    }

    private func count(_ groups: [DenialGroups.Group]) -> Int64 { groups.reduce(0) { $0 + $1.count } }

    @Test func aBurstHasAnEventForEachNetwork() {
        var groups = DenialGroups()
        for network in 0..<DenialGroups.strangersBurst {
            add(denial(network: network, at: start), to: &groups)
        }
        let taken = groups.take(at: start + .seconds(2), all: false)
        #expect(taken.count == DenialGroups.strangersBurst && count(taken) == Int64(taken.count))
        let rest = groups.take(at: start, all: true)
        #expect(rest.isEmpty)
    }

    @Test func aFloodIsAFewEventsAndLosesNoCount() {
        var groups = DenialGroups()
        var events: [DenialGroups.Group] = []
        let seconds = 600
        for second in stride(from: 0, to: seconds, by: 2) {
            let now = start + .seconds(second)
            for network in 0..<1000 { add(denial(network: second * 1000 + network, at: now), to: &groups) }
            // One of them came more often than the others.
            for _ in 0..<5 { add(denial(network: second * 1000 + 7, at: now), to: &groups) }
            add(denial(network: 1, user: "ada", at: now), to: &groups)
            events += groups.take(at: now + .seconds(2), all: false)
        }
        let rest = groups.take(at: start + .seconds(seconds), all: true)
        #expect(count(events) + count(rest) == Int64(seconds / 2 * 1006))
        let users = events.filter { $0.sample.user == "ada" }
        #expect(users.count == seconds / 2 && count(users) == Int64(seconds / 2))
        let own = DenialGroups.strangersBurst + seconds * Int(DenialGroups.strangersPerSecond)
        #expect(events.count <= own + seconds / 2 + seconds / 60)
        // The busiest has an event of its own to the end.
        let last = events.suffix(20).map { DenialGroups.event($0).event.metadata }
        #expect(last.contains { $0["count"] == .integer(6) && $0["many_networks"] == nil })
        let joined = events.filter { DenialGroups.event($0).event.metadata["many_networks"] == .boolean(true) }
        #expect((5...10).contains(joined.count))
        #expect(joined.allSatisfy { $0.addresses.count == 16 && $0.last - $0.first >= .seconds(50) })
    }

    @Test func moreThanThereArePlacesForLoseNothing() {
        var groups = DenialGroups()
        for network in 0..<20_000 { add(denial(network: network, at: start), to: &groups) }
        let taken = groups.take(at: start, all: true)
        #expect(count(taken) == 20_000)
    }

    @Test func strangersTakeNoPlaceOfSomebodyKnown() {
        var groups = DenialGroups()
        for network in 0..<20_000 { add(denial(network: network, at: start), to: &groups) }
        add(denial(network: 1, user: "ada", at: start), to: &groups)
        let taken = groups.take(at: start, all: true)
        #expect(taken.contains { $0.sample.user == "ada" } && count(taken) == 20_001)
    }

    @Test func whatWasPutBackIsTakenAgain() {
        var groups = DenialGroups()
        for network in 0..<5000 { add(denial(network: network, at: start), to: &groups) }
        let taken = groups.take(at: start + .seconds(2), all: false)
        #expect(taken.count == DenialGroups.strangersBurst)
        for second in 3..<100 {
            let lost = groups.putBack(taken[...])
            let again = groups.take(at: start + .seconds(second), all: false)
            #expect(lost == 0 && again.count >= taken.count)
        }
    }
}
