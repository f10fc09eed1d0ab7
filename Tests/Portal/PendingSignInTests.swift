import Core
import Testing

@testable import Portal

@Suite struct PendingSignInTests {
    private let now = Timestamp(seconds: 1_800_000_000)

    private func pending(_ path: String = "/a", browser: UInt8 = 1) -> PendingSignIn {
        PendingSignIn(
            returnTo: ReturnAddress(origin: "https://app.example.com", path: path), browser: [browser],
            isStepUp: false, expiresAt: now + PendingSignIns.lifetime)
    }

    @Test func eachTabHasItsOwn() {
        let all = PendingSignIns()
        all.insert(pending("/one"), id: "1", from: "a")
        all.insert(pending("/two"), id: "2", from: "a")
        #expect(all.find("1", browser: [1], at: now)?.returnTo?.path == "/one")
        #expect(all.find("2", browser: [1], at: now)?.returnTo?.path == "/two")
        all.remove("1")
        #expect(all.find("1", browser: [1], at: now) == nil)
        #expect(all.find("2", browser: [1], at: now) != nil)
    }

    @Test func lesson71_anotherBrowserHasNoUseForIt() {
        let all = PendingSignIns()
        all.insert(pending(), id: "1", from: "a")
        #expect(all.find("1", browser: [2], at: now) == nil)
        #expect(all.find("1", browser: [], at: now) == nil)
        #expect(all.find("1", browser: [1], at: now) != nil)
    }

    @Test func itEndsAtUse() {
        let all = PendingSignIns()
        all.insert(pending(), id: "1", from: "a")
        #expect(all.find("1", browser: [1], at: now + PendingSignIns.lifetime) == nil)
        #expect(all.find("1", browser: [1], at: now) == nil)
    }

    @Test func aFloodPushesOutItsOwnOnly() {
        let all = PendingSignIns(capacity: 100, share: 10)
        all.insert(pending(), id: "mine", from: "home")
        for number in 0..<1000 { all.insert(pending(), id: "flood \(number)", from: "elsewhere") }
        #expect(all.find("mine", browser: [1], at: now) != nil)
        #expect(all.find("flood 999", browser: [1], at: now) != nil)
        #expect(all.find("flood 989", browser: [1], at: now) == nil)
    }

    @Test func allTogetherAreBounded() {
        let all = PendingSignIns(capacity: 10, share: 10)
        for number in 0..<100 { all.insert(pending(), id: "\(number)", from: "place \(number)") }
        #expect(all.find("89", browser: [1], at: now) == nil)
        #expect(all.find("90", browser: [1], at: now) != nil)
    }

    /// L6: many places that have a few each push out what they have themselves, not what a place has that has one.
    @Test func theFullestPlaceGivesUpItsOldest() {
        let all = PendingSignIns(capacity: 100, share: 10)
        for number in 0..<50 { all.insert(pending(), id: "home \(number)", from: "home \(number)") }
        for number in 0..<1000 { all.insert(pending(), id: "flood \(number)", from: "away \(number % 20)") }
        for number in 0..<50 { #expect(all.find("home \(number)", browser: [1], at: now) != nil) }
        #expect(all.find("flood 999", browser: [1], at: now) != nil)
        #expect(all.find("flood 900", browser: [1], at: now) == nil)
        for number in 0..<1000 { all.remove("flood \(number)") }
        for number in 0..<50 { all.insert(pending(), id: "late \(number)", from: "late \(number)") }
        #expect(all.find("home 0", browser: [1], at: now) != nil)
        all.insert(pending(), id: "one more", from: "one more")
        #expect(all.find("home 0", browser: [1], at: now) == nil && all.find("home 1", browser: [1], at: now) != nil)
    }

    @Test func allNetworksOfASiteAreOnePlace() {
        func place(_ text: String) -> String { ClientPlace.text(IPAddress(text)) }
        #expect(place("2001:db8:1::1") == place("2001:db8:1:ffff::9"))
        #expect(place("2001:db8:1::1") != place("2001:db8:2::1"))
        #expect(place("192.0.2.1") != place("192.0.2.2") && place("192.0.2.1") != ClientPlace.text(nil))
    }

    @Test func theThirdTimeWithinHalfAMinuteIsALoop() throws {
        let loops = LoginLoops()
        let address = ReturnAddress(origin: "https://app.example.com", path: "/a")
        #expect(!loops.count("s", to: address, at: now))
        #expect(!loops.count("s", to: address, at: now + .seconds(1)))
        #expect(loops.count("s", to: address, at: now + .seconds(2)))
        #expect(!loops.count("t", to: address, at: now + .seconds(2)))
        #expect(!loops.count("s", to: address, at: now + .seconds(31)))
    }
}
