import Core
import Testing

@Suite struct ClockCacheTests {
    @Test func forgetsWhatIsNotUsed() {
        var cache = ClockCache<Int, Int>(capacity: 3)
        for number in 1...3 { cache.insert(number, for: number) }
        _ = cache.find(1)
        cache.insert(4, for: 4)
        #expect(cache.find(1) != nil && cache.find(2) == nil && cache.count == 3)
        for number in 10..<100 { cache.insert(number, for: number) }
        #expect(cache.count == 3)
        if let place = cache.find(99) { #expect(cache[place] == 99) }
        cache.removeAll()
        #expect(cache.count == 0 && cache.find(99) == nil)
    }

    @Test func holdsNothingWhenItMay() {
        var cache = ClockCache<Int, Int>(capacity: 0)
        cache.insert(1, for: 1)
        #expect(cache.find(1) == nil)
    }

    @Test func agreesWithADictionaryUnderRandomUse() {
        var cache = ClockCache<Int, Int>(capacity: 8)
        var model: [Int: Int] = [:]
        var state: UInt64 = 42
        func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        for step in 0..<20_000 {
            let key = next() % 12
            switch next() % 3 {
            case 0:
                cache.insert(step, for: key)
                model[key] = step
            case 1:
                cache.remove(key)
                model[key] = nil
                #expect(cache.find(key) == nil)
            default:
                // It may have forgotten, but never knows something else.
                if let place = cache.find(key) { #expect(cache[place] == model[key]) }
            }
            #expect(cache.count <= 8)
        }
    }
}
