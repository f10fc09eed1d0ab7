internal import Accounts
internal import Synchronization

/// `gatehouse_sessions`. To count them is to read each, so where there are very many a scrape gets the number of a while
/// ago: the counting takes no more than a twentieth of the time.
final class LiveSessionCount: Sendable {
    private let store: Store
    private let last = Mutex<(count: Int, goodUntil: ContinuousClock.Instant)?>(nil)

    init(_ store: Store) {
        self.store = store
    }

    func value() throws(AccountsError) -> Int {
        let begun = ContinuousClock.now
        if let last = last.withLock({ $0 }), begun < last.goodUntil { return last.count }
        let count = try store.liveSessionCount()
        let end = ContinuousClock.now
        // What takes less than a few milliseconds may be done for every scrape.
        let taken = end - begun
        last.withLock { $0 = (count, taken < .milliseconds(5) ? end : end + taken * 20) }
        return count
    }
}
