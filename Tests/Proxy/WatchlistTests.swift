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

    @Test(arguments: [0, 1, 255, 256, 257, 1000])
    func everyoneHasATurnInARoundOfSmallBatches(count: Int) {
        var (list, members) = Self.filled(count)
        let batches = (count + 255) / 256
        for round in 1...3 {
            for _ in 0..<batches {
                let batch = list.nextBatch()
                #expect(!batch.isEmpty && batch.count <= Watchlist<Member>.batch)
                for member in batch { member.looks += 1 }
            }
            #expect(members.allSatisfy { $0.looks == round })
        }
        #expect(list.pause * Int64(max(1, batches)) <= Watchlist<Member>.round)
        #expect(list.isEmpty == (count == 0))
    }

    @Test func whoLeavesIsNotLookedAtAndNobodyElseIsLeftOut() {
        var generator = SplitMix(state: 20_261)
        for _ in 0..<50 {
            var (list, members) = Self.filled(700)
            var gone: Set<Int> = []
            // A whole round, with departures between and during its batches.
            var looked: Set<Int> = []
            for _ in 0..<3 {
                for member in list.nextBatch() where member.watchPlace >= 0 {
                    looked.insert(member.number)
                    if generator.next() % 4 == 0 {
                        list.remove(member)
                        gone.insert(member.number)
                    }
                }
                for _ in 0..<20 {
                    let member = members[Int(generator.next() % 700)]
                    list.remove(member)
                    gone.insert(member.number)
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
