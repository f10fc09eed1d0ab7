import Core
import Testing

@testable import Portal

@Suite struct BoundedTableTests {
    let now = Timestamp(seconds: 1_800_000_000)

    @Test func whatIsTakenIsGone() {
        let table = BoundedTable<Int>()
        table.insert(1, id: "a", from: ClientPlace(site: "x"), until: now + .seconds(10))
        #expect(table.take("a", at: now) == 1)
        #expect(table.take("a", at: now) == nil)
        #expect(table.take("b", at: now) == nil)
    }

    @Test func lesson31_whatIsTooOldIsNotThere() {
        let table = BoundedTable<Int>()
        table.insert(1, id: "a", from: ClientPlace(site: "x"), until: now)
        #expect(table.take("a", at: now) == nil)
    }

    @Test func aChangeFindsOnlyWhatIsThere() {
        let table = BoundedTable<Int>()
        table.insert(1, id: "a", from: ClientPlace(site: "x"), until: now + .seconds(10))
        table.change("a") { $0 += 1 }
        table.change("b") { $0 += 1 }
        #expect(table.take("b", at: now) == nil && table.take("a", at: now) == 2)
        table.change("a") { $0 += 1 }
        #expect(table.take("a", at: now) == nil)
        table.insert(1, id: "a", from: ClientPlace(site: "x"), until: now)
        table.change("a") { $0 += 1 }
        #expect(table.take("a", at: now) == nil, "its time is not longer for that")
    }

    @Test func nobodyPushesOutWhatOthersHave() {
        let table = BoundedTable<Int>(capacity: 10, siteShare: 3)
        table.insert(0, id: "mine", from: ClientPlace(site: "me"), until: now + .seconds(10))
        for index in 0..<100 {
            table.insert(index, id: "\(index)", from: ClientPlace(site: "flood"), until: now + .seconds(10))
        }
        #expect(table.take("mine", at: now) == 0)
        #expect(table.take("96", at: now) == nil && table.take("97", at: now) == 97)
    }

    @Test func lesson71_twoAtOnceTakeItOnce() async {
        let table = BoundedTable<Int>()
        table.insert(1, id: "a", from: ClientPlace(site: "x"), until: now + .seconds(10))
        let taken = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<100 { group.addTask { table.take("a", at: now) ?? 0 } }
            return await group.reduce(0, +)
        }
        #expect(taken == 1)
    }

    /// Tabs side by side are a browser's own to push out, and only its own.
    @Test func aBrowserHasItsShare() {
        let table = BoundedTable<Int>(ownerShare: 3)
        let here = ClientPlace(site: "x")
        table.insert(0, id: "other", from: here, owner: [2], until: now + .seconds(10))
        for index in 0..<5 {
            table.insert(index, id: "\(index)", from: here, owner: [1], until: now + .seconds(10))
        }
        #expect(table.take("0", at: now) == nil && table.take("1", at: now) == nil)
        #expect(table.take("2", at: now) == 2)
        // One that came back leaves room for another.
        table.insert(5, id: "5", from: here, owner: [1], until: now + .seconds(10))
        #expect(table.take("3", at: now) == 3 && table.take("5", at: now) == 5 && table.take("other", at: now) == 0)
    }

    @Test func whatNobodyComesBackForIsFreed() {
        let table = BoundedTable<Int>(capacity: 100, siteShare: 50)
        for index in 0..<200 {
            table.insert(
                index, id: "\(index)", from: ClientPlace(site: "\(index % 3)"), owner: [UInt8(index)],
                until: now + .seconds(Int64(index)))
        }
        // Whatever gave way is forgotten with its browser.
        #expect(table.count == (100, 100))
        table.sweep(at: now + .seconds(150))
        let left = table.count
        #expect(left.entries == left.owners && (1..<100).contains(left.entries))
        table.sweep(at: now + .seconds(1000))
        #expect(table.count == (0, 0))
        #expect(table.take("199", at: now) == nil)
    }
}
