import Core
import Testing

@testable import Portal

@Suite struct PendingSignInTests {
    private let now = Timestamp(seconds: 1_800_000_000)

    private func pending(_ path: String = "/a", browser: UInt8 = 1) -> PendingSignIn {
        PendingSignIn(
            returnTo: ReturnAddress(origin: "https://app.example.com", path: path), browser: [browser],
            expiresAt: now + PendingSignIns.lifetime)
    }

    @Test func eachTabHasItsOwn() {
        let all = PendingSignIns()
        all.insert(pending("/one"), id: "1", from: ClientPlace(site: "a"))
        all.insert(pending("/two"), id: "2", from: ClientPlace(site: "a"))
        #expect(all.find("1", browser: [1], at: now)?.returnTo?.path == "/one")
        #expect(all.find("2", browser: [1], at: now)?.returnTo?.path == "/two")
        all.remove("1")
        #expect(all.find("1", browser: [1], at: now) == nil)
        #expect(all.find("2", browser: [1], at: now) != nil)
    }

    /// Long addresses have room of their own: many of them push out no short one, and they take no more than those.
    @Test func longAddressesPushOutNoShortOnes() {
        let all = PendingSignIns(capacity: 80, siteShare: 80, networkShare: 80)
        let long = "/" + String(repeating: "a", count: 8000)
        all.insert(pending("/one"), id: "1", from: ClientPlace(site: "a"))
        for number in 0..<200 { all.insert(pending(long), id: "long \(number)", from: ClientPlace(site: "a")) }
        #expect(all.find("1", browser: [1], at: now)?.returnTo?.path == "/one")
        #expect(all.find("long 199", browser: [1], at: now)?.returnTo?.path == long)
        #expect((0..<200).count { all.find("long \($0)", browser: [1], at: now) != nil } <= 10)
        all.remove("long 199")
        #expect(all.find("long 199", browser: [1], at: now) == nil)
    }

    @Test func lesson71_anotherBrowserHasNoUseForIt() {
        let all = PendingSignIns()
        all.insert(pending(), id: "1", from: ClientPlace(site: "a"))
        #expect(all.find("1", browser: [2], at: now) == nil)
        #expect(all.find("1", browser: [], at: now) == nil)
        #expect(all.find("1", browser: [1], at: now) != nil)
    }

    @Test func itEndsAtUse() {
        let all = PendingSignIns()
        all.insert(pending(), id: "1", from: ClientPlace(site: "a"))
        #expect(all.find("1", browser: [1], at: now + PendingSignIns.lifetime) == nil)
        #expect(all.find("1", browser: [1], at: now) == nil)
    }

    @Test func aFloodPushesOutItsOwnOnly() {
        let all = PendingSignIns(capacity: 100, siteShare: 10, networkShare: 10)
        all.insert(pending(), id: "mine", from: ClientPlace(site: "home"))
        for number in 0..<1000 { all.insert(pending(), id: "flood \(number)", from: ClientPlace(site: "elsewhere")) }
        #expect(all.find("mine", browser: [1], at: now) != nil)
        #expect(all.find("flood 999", browser: [1], at: now) != nil)
        #expect(all.find("flood 989", browser: [1], at: now) == nil)
    }

    @Test func allTogetherAreBounded() {
        let all = PendingSignIns(capacity: 10, siteShare: 10, networkShare: 10)
        for number in 0..<100 { all.insert(pending(), id: "\(number)", from: ClientPlace(site: "place \(number)")) }
        #expect(all.find("89", browser: [1], at: now) == nil)
        #expect(all.find("90", browser: [1], at: now) != nil)
    }

    /// L6: many places that have a few each push out what they have themselves, not what a place has that has one.
    @Test func theFullestPlaceGivesUpItsOldest() {
        let all = PendingSignIns(capacity: 100, siteShare: 10, networkShare: 10)
        for number in 0..<50 { all.insert(pending(), id: "home \(number)", from: ClientPlace(site: "home \(number)")) }
        for number in 0..<1000 {
            all.insert(pending(), id: "flood \(number)", from: ClientPlace(site: "away \(number % 20)"))
        }
        for number in 0..<50 { #expect(all.find("home \(number)", browser: [1], at: now) != nil) }
        #expect(all.find("flood 999", browser: [1], at: now) != nil)
        #expect(all.find("flood 900", browser: [1], at: now) == nil)
        for number in 0..<1000 { all.remove("flood \(number)") }
        for number in 0..<50 { all.insert(pending(), id: "late \(number)", from: ClientPlace(site: "late \(number)")) }
        #expect(all.find("home 0", browser: [1], at: now) != nil)
        all.insert(pending(), id: "one more", from: ClientPlace(site: "one more"))
        #expect(all.find("home 0", browser: [1], at: now) == nil && all.find("home 1", browser: [1], at: now) != nil)
    }

    @Test func aPlaceIsANetworkOfASite() {
        func place(_ text: String) -> ClientPlace { ClientPlace(IPAddress(text)) }
        #expect(place("2001:db8:1::1").site == place("2001:db8:1:ffff::9").site)
        #expect(place("2001:db8:1::1").network != place("2001:db8:1:ffff::9").network)
        #expect(place("2001:db8:1::1") == place("2001:db8:1::9"))
        #expect(place("2001:db8:1::1").site != place("2001:db8:2::1").site)
        #expect(place("192.0.2.1").site != place("192.0.2.2").site)
        #expect(place("192.0.2.1").site != ClientPlace(nil).site)
    }

    /// A neighbour in the same /48 does not push out the sign-in of a household that has a /64 of its own.
    @Test func withinASiteTheFullestNetworkGivesUpItsOldest() {
        let all = PendingSignIns(capacity: 1000, siteShare: 100, networkShare: 50)
        func place(_ network: String) -> ClientPlace { ClientPlace(site: "site", network: network) }
        for number in 0..<20 { all.insert(pending(), id: "home \(number)", from: place("home \(number)")) }
        for number in 0..<1000 { all.insert(pending(), id: "flood \(number)", from: place("neighbour")) }
        for number in 0..<1000 { all.insert(pending(), id: "wide \(number)", from: place("away \(number % 30)")) }
        for number in 0..<20 { #expect(all.find("home \(number)", browser: [1], at: now) != nil) }
        #expect(all.find("wide 999", browser: [1], at: now) != nil)
        let left = (0..<1000).filter { number in
            ["flood", "wide"].contains { all.find("\($0) \(number)", browser: [1], at: now) != nil }
        }
        #expect(left.count <= 80, "the site has its share and no more")
        // A site where all have one each gives up its oldest, and nobody else's.
        all.insert(pending(), id: "other", from: ClientPlace(site: "other"))
        for number in 0..<500 { all.insert(pending(), id: "one \(number)", from: place("one \(number)")) }
        #expect(all.find("home 0", browser: [1], at: now) == nil && all.find("one 499", browser: [1], at: now) != nil)
        #expect(all.find("one 399", browser: [1], at: now) == nil && all.find("one 400", browser: [1], at: now) != nil)
        #expect(all.find("other", browser: [1], at: now) != nil)
    }

    @Test func aNetworksShareIsBoundedBelowItsSites() {
        let all = PendingSignIns()
        let place = ClientPlace(IPAddress("2001:db8::1"))
        for number in 0..<200 { all.insert(pending(), id: "\(number)", from: place) }
        #expect(all.find("71", browser: [1], at: now) == nil && all.find("72", browser: [1], at: now) != nil)
        // An id that comes again counts once.
        for _ in 0..<200 { all.insert(pending(), id: "again", from: ClientPlace(IPAddress("2001:db8:0:1::1"))) }
        all.remove("again")
        #expect(all.find("again", browser: [1], at: now) == nil && all.find("199", browser: [1], at: now) != nil)
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
