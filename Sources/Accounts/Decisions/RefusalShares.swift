internal import Core

/// Whose the kept refusals are, so that nobody has them all: strangers, whom nothing keeps from asking for more, have at
/// most half of the rows, and one person, or one network of strangers, has a bounded number. Rows that the sweeper has
/// removed since may be counted still: they are the oldest, so they are the first to be let go of.
struct RefusalShares {
    /// The rows of strangers together.
    static let strangersMaximum = Store.maximumRefusals / 2
    /// The rows of one.
    static let maximumOfOne = 500

    private var strangers = Queue()
    private var each: [String: Queue] = [:]

    /// Counts a row.
    ///
    /// - Returns: the rows that have to go for it.
    mutating func add(_ refusal: KeptRefusal, _ sequence: UInt64) -> [UInt64] {
        var gone: [UInt64] = []
        each[refusal.who, default: Queue()].append(sequence)
        if let own = each[refusal.who], own.count > Self.maximumOfOne, let oldest = each[refusal.who]?.removeFirst() {
            gone.append(oldest)
        }
        guard refusal.isStrangers else { return gone }
        strangers.append(sequence)
        // One that has gone by its network's bound is counted here until it is the oldest: less is kept, never more.
        if strangers.count > Self.strangersMaximum, let oldest = strangers.removeFirst() { gone.append(oldest) }
        return gone
    }

    /// Forgets the oldest of somebody, whose row has gone for another reason.
    mutating func remove(_ refusal: KeptRefusal, _ sequence: UInt64) {
        each[refusal.who]?.remove(upTo: sequence)
        if each[refusal.who]?.count == 0 { each[refusal.who] = nil }
        if refusal.isStrangers { strangers.remove(upTo: sequence) }
    }

    /// Sequences in their order.
    private struct Queue {
        private var items: [UInt64] = []
        private var first = 0
        var count: Int { items.count - first }

        mutating func append(_ item: UInt64) { items.append(item) }

        mutating func removeFirst() -> UInt64? {
            guard first < items.count else { return nil }
            defer {
                first += 1
                if first > 512, first > items.count / 2 {
                    items.removeFirst(first)
                    first = 0
                }
            }
            return items[first]
        }

        mutating func remove(upTo item: UInt64) {
            while first < items.count, items[first] <= item { _ = removeFirst() }
        }
    }
}
