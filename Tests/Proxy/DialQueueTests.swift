import Testing

@testable import Proxy

/// Whose turn it is to connect, and waits that end only once.
struct DialQueueTests {
    private final class Dial {}

    private let dials = (0..<DialQueue<Dial>.limit + 3).map { _ in Dial() }

    private func full() -> DialQueue<Dial> {
        var queue = DialQueue<Dial>()
        for (number, dial) in dials.enumerated() {
            #expect(queue.isOpen == (number < DialQueue<Dial>.limit))
            queue.enter(dial, begins: queue.isOpen)
        }
        return queue
    }

    @Test func turnsComeInOrder() {
        var queue = full()
        let early = queue.next()
        #expect(early == nil)
        queue.leave(dials[7], hadTurn: true)
        let first = queue.next()
        #expect(first === dials[DialQueue<Dial>.limit])
        let none = queue.next()
        #expect(none == nil)
        queue.leave(dials[8], hadTurn: true)
        let second = queue.next()
        #expect(second === dials[DialQueue<Dial>.limit + 1])
    }

    @Test func whoWaitedForATurnLeavesNoneBehind() {
        var queue = full()
        queue.leave(dials[DialQueue<Dial>.limit], hadTurn: false)
        queue.leave(dials[0], hadTurn: true)
        let next = queue.next()
        #expect(next === dials[DialQueue<Dial>.limit + 1])
        queue.leave(dials[DialQueue<Dial>.limit + 2], hadTurn: false)
        #expect(queue.isEmpty)
        #expect(!queue.isUnused)
        let nobody = queue.next()
        #expect(nobody == nil)
    }

    @Test func nobodyOvertakesWhoWaits() {
        var queue = full()
        queue.leave(dials[0], hadTurn: true)
        #expect(!queue.isOpen && queue.hasNext)
    }

    /// Their turn alone is not enough: what else they need may be wanting.
    @Test func whoCannotBeginWaitsThoughItIsTheirTurn() {
        var queue = DialQueue<Dial>()
        #expect(queue.isOpen && !queue.hasNext)
        queue.enter(dials[0], begins: false)
        #expect(!queue.isOpen && queue.hasNext)
        queue.enter(dials[1], begins: false)
        let first = queue.next()
        #expect(first === dials[0])
        queue.leave(dials[0], hadTurn: true)
        queue.leave(dials[1], hadTurn: false)
        #expect(queue.isUnused && queue.isOpen)
        let none = queue.next()
        #expect(none == nil)
    }

    @Test func onlyOneStartsOthers() {
        var queue = DialQueue<Dial>()
        let first = queue.takeStart()
        let second = queue.takeStart()
        #expect(first && !second)
        queue.endStart()
        let third = queue.takeStart()
        #expect(third)
    }
}

struct WaitingLineTests {
    private final class Member {}

    @Test func theyComeOutInOrderWhoeverLeaves() {
        var line = WaitingLine<Member>()
        let members = (0..<6).map { _ in Member() }
        for member in members { line.append(member) }
        line.remove(members[0])
        line.remove(members[3])
        line.remove(members[3])
        line.remove(Member())
        #expect(line.count == 4)
        let odd = line.first { $0 !== members[1] }
        #expect(odd === members[2])
        let first = line.popFirst()
        #expect(first === members[1])
        line.append(members[1])
        let rest = line.removeAll()
        #expect(rest.elementsEqual([members[2], members[4], members[5], members[1]]) { $0 === $1 })
        let nobody = line.popFirst()
        #expect(nobody == nil && line.isEmpty && line.first { _ in true } == nil)
    }

    /// As many as one client may have streams: all of them leave at once, the last one first.
    @Test func manyLeaveAsFastAsFew() {
        var line = WaitingLine<Member>()
        let members = (0..<100_000).map { _ in Member() }
        for member in members { line.append(member) }
        let began = ContinuousClock.now
        for member in members.reversed() { line.remove(member) }
        #expect(line.isEmpty)
        // In a list this would take a hundred times as long.
        #expect(ContinuousClock.now - began < .seconds(10))
    }
}

struct UpstreamAttemptTests {
    private struct Failure: Error {}

    @Test func itEndsOnce() {
        var ends = 0
        var undone = 0
        let attempt = UpstreamAttempt { _ in ends += 1 }
        attempt.onCancel { undone += 1 }
        attempt.finish(.failure(Failure()))
        attempt.finish(.failure(Failure()))
        attempt.cancel()
        #expect(ends == 1)
        #expect(undone == 0)
        #expect(!attempt.isWanted)
    }

    @Test func cancelledItUndoesAndTellsNobody() {
        var ends = 0
        var undone: [String] = []
        let attempt = UpstreamAttempt { _ in ends += 1 }
        attempt.onCancel { undone.append("first") }
        attempt.onCancel { undone.append("second") }
        attempt.cancel()
        attempt.cancel()
        attempt.finish(.failure(Failure()))
        #expect(ends == 0)
        #expect(undone == ["second"])
    }

    @Test func whatBeginsTooLateIsUndoneAtOnce() {
        var undone = 0
        let attempt = UpstreamAttempt { _ in }
        attempt.cancel()
        attempt.onCancel { undone += 1 }
        #expect(undone == 1)
    }

    @Test func whoHasItInHandIsNotInterrupted() {
        var undone = 0
        let attempt = UpstreamAttempt { _ in }
        attempt.onCancel { undone += 1 }
        attempt.takeInHand()
        attempt.cancel()
        #expect(undone == 0)
        #expect(!attempt.isWanted)
    }

    @Test func whoWaitedIsLetGo() {
        final class Owner {}
        weak var gone: Owner?
        let attempt: UpstreamAttempt
        do {
            let owner = Owner()
            gone = owner
            attempt = UpstreamAttempt { _ in withExtendedLifetime(owner) {} }
        }
        #expect(gone != nil)
        attempt.cancel()
        #expect(gone == nil)
    }
}
