internal import Core
internal import Synchronization

/// A fixed ring between one loop, which puts, and one drain, which takes. Neither waits for the other: what finds it
/// full is counted.
final class DecisionRing: Sendable {
    // Indirect, so that a place is one pointer however long a denial is.
    indirect enum Item: Sendable {
        case denial(Denial)
        case usage(Usage)
        case address(Usage, IPAddress)
    }

    private let capacity: Int
    // A place between `taken` and `put` belongs to the drain, every other one to the loop: a place changes hands only
    // with the store and load of these two, which order the accesses to it.
    private nonisolated(unsafe) let places: UnsafeMutablePointer<Item?>
    private let put = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)
    private let lostCount = Atomic<UInt64>(0)

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        places = .allocate(capacity: self.capacity)
        places.initialize(repeating: nil, count: self.capacity)
    }

    deinit {
        places.deinitialize(count: capacity)
        places.deallocate()
    }

    /// How many items found the ring full.
    var lost: UInt64 { lostCount.load(ordering: .relaxed) }

    /// On the loop.
    func append(_ item: Item) -> Bool {
        let next = put.load(ordering: .relaxed)
        guard next &- taken.load(ordering: .acquiring) < capacity else {
            lostCount.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        places[next % capacity] = item
        put.store(next &+ 1, ordering: .releasing)
        return true
    }

    /// In the drain, by one thread at a time.
    func take(_ body: (Item) -> Void) {
        var next = taken.load(ordering: .relaxed)
        let end = put.load(ordering: .acquiring)
        while next < end {
            let item = places[next % capacity]
            places[next % capacity] = nil
            next &+= 1
            taken.store(next, ordering: .releasing)
            if let item { body(item) }
        }
    }
}

/// How often an identity passed a route in a period. The loop counts, the drain reads; both atomically.
final class Usage: Sendable {
    let identity: Identity
    let route: String
    /// Nil when only the last use is kept.
    let period: String?
    private let counted = Atomic<Int64>(0)
    private let firstTime: Atomic<Int64>
    private let lastTime: Atomic<Int64>

    init(identity: Identity, route: String, period: String?, at now: Timestamp) {
        self.identity = identity
        self.route = route
        self.period = period
        firstTime = Atomic(now.milliseconds)
        lastTime = Atomic(now.milliseconds)
    }

    func count(at now: Timestamp) {
        lastTime.store(now.milliseconds, ordering: .relaxed)
        counted.wrappingAdd(1, ordering: .releasing)
    }

    /// What was counted since the last call.
    func take() -> Int64 { counted.exchange(0, ordering: .acquiring) }
    var first: Timestamp { Timestamp(milliseconds: firstTime.load(ordering: .relaxed)) }
    var last: Timestamp { Timestamp(milliseconds: lastTime.load(ordering: .relaxed)) }
}
