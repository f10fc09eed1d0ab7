import Testing

@testable import Proxy

/// Who is judged again, and when: all in a round, few at a time.
struct WatchlistTests {
    private final class Member: Watched {
        let number: Int
        var watchPlace = -1
        var looks = 0

        init(_ number: Int) { self.number = number }
    }

    private static func filled(_ count: Int) -> (Watchlist<Member>, [Member]) {
        var list = Watchlist<Member>()
        let members = (0..<count).map { Member($0) }
        for member in members { list.add(member) }
        return (list, members)
    }

    /// The batches of one round, and what they take.
    private static func round(_ list: inout Watchlist<Member>, _ look: (Member, inout Watchlist<Member>) -> Void)
        -> Int64
    {
        var time: Int64 = 0
        var isFirst = true
        while isFirst || !list.isAtEnd {
            isFirst = false
            let batch = list.nextBatch()
            time += list.pause
            #expect(batch.count <= Watchlist<Member>.largestBatch)
            for member in batch { look(member, &list) }
        }
        return time
    }

    @Test(arguments: [0, 1, 3, 4, 5, 255, 256, 257, 1000, 1025, 5000])
    func everyoneHasATurnInARoundOfSmallBatches(count: Int) {
        var (list, members) = Self.filled(count)
        for number in 1...3 {
            let time = Self.round(&list) { member, _ in member.looks += 1 }
            #expect(members.allSatisfy { $0.looks == number })
            #expect(time <= Watchlist<Member>.round)
        }
        #expect(list.isEmpty == (count == 0))
    }

    @Test(arguments: [3, 700, 5000])
    func aRoundInWhichAllLeaveIsNotSlower(count: Int) {
        var (list, _) = Self.filled(count)
        let time = Self.round(&list) { member, list in list.remove(member) }
        #expect(list.isEmpty)
        #expect(time <= Watchlist<Member>.round)
    }

    @Test func whoComesDuringARoundHasATurnInIt() {
        var (list, _) = Self.filled(10)
        var added: [Member] = []
        let time = Self.round(&list) { member, list in
            member.looks += 1
            guard added.isEmpty else { return }
            added = (100..<3100).map { Member($0) }
            for member in added { list.add(member) }
        }
        #expect(added.allSatisfy { $0.looks == 1 })
        #expect(time <= 2 * Watchlist<Member>.round)
    }

    @Test func whoLeavesIsNotLookedAtAndNobodyElseIsLeftOut() {
        var generator = SplitMix(state: 20_261)
        for _ in 0..<50 {
            var (list, members) = Self.filled(700)
            var gone: Set<Int> = []
            var looked: Set<Int> = []
            _ = Self.round(&list) { member, list in
                guard member.watchPlace >= 0 else { return }
                looked.insert(member.number)
                for _ in 0..<Int(generator.next() % 3) {
                    let leaver = members[Int(generator.next() % 700)]
                    list.remove(leaver)
                    gone.insert(leaver.number)
                }
            }
            #expect(members.allSatisfy { looked.contains($0.number) || gone.contains($0.number) })
            #expect(list.members.count == 700 - gone.count)
            #expect(list.members.enumerated().allSatisfy { $0.offset == $0.element.watchPlace })
        }
    }

    @Test func addingTwiceAndRemovingTwiceDoNothing() {
        var (list, members) = Self.filled(2)
        list.add(members[0])
        #expect(list.members.count == 2)
        list.remove(members[0])
        list.remove(members[0])
        #expect(list.members.map(\.number) == [1])
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
