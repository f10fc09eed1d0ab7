import Testing

@testable import Proxy

/// Whose turn it is to connect, and waits that end only once.
struct DialQueueTests {
    private final class Dial {}

    private let dials = (0..<DialQueue<Dial>.limit + 3).map { _ in Dial() }

    private func full() -> DialQueue<Dial> {
        var queue = DialQueue<Dial>()
        for (number, dial) in dials.enumerated() {
            let begins = queue.enter(dial)
            #expect(begins == (number < DialQueue<Dial>.limit))
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
        let begins = queue.enter(Dial())
        #expect(!begins)
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
