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
}
