internal import Core

/// Refusals on their way to the disk.
///
/// Each costs a row, so a flood of them must not become a flood of writes: beyond a burst as large as all that is kept,
/// only so many a second are written. Which ones is shared out among users and address classes, so that a stranger who
/// is refused all day does not push out the one refusal of somebody who asks about it.
struct RefusalBacklog {
    /// Written in a row after a rest: everything that is ever kept.
    static let burst = Store.maximumRefusals
    /// Written each second in the long run.
    static let perSecond = 50

    private var waiting: [KeptRefusal] = []
    private var allowance = Self.burst
    private var refilledAt: Timestamp?

    mutating func add(_ denial: Denial) {
        guard let refusal = KeptRefusal(denial) else { return }
        waiting.append(refusal)
        // Twice as many, so that the oldest are not shifted out one by one.
        if waiting.count >= 2 * Self.burst { waiting.removeFirst(waiting.count - Self.burst) }
    }

    func newest(of requestID: String) -> KeptRefusal? { waiting.last { $0.requestID == requestID } }

    /// What may be written now, the oldest first.
    mutating func due(at now: Timestamp) -> [KeptRefusal] {
        refill(now)
        if waiting.count > allowance { share() }
        return waiting
    }

    /// The first of what ``due(at:)`` gave are written.
    mutating func removeDue(_ count: Int, at now: Timestamp) {
        waiting.removeFirst(min(count, waiting.count))
        allowance -= min(count, allowance)
    }

    private mutating func refill(_ now: Timestamp) {
        guard let since = refilledAt, now > since else {
            refilledAt = now
            return
        }
        let gained = (now - since).wholeMilliseconds * Int64(Self.perSecond) / 1000
        guard gained > 0 else { return }
        allowance = Int(min(Int64(allowance) + gained, Int64(Self.burst)))
        refilledAt = now
    }

    /// Leaves as many as the allowance has: of everybody the newest, then of everybody the next one.
    private mutating func share() {
        var places: [String: [Int]] = [:]
        for index in waiting.indices { places[waiting[index].who, default: []].append(index) }
        var chosen: [Int] = []
        var round = places.values.map { $0 }
        while chosen.count < allowance, !round.isEmpty {
            var next: [[Int]] = []
            for var list in round where chosen.count < allowance {
                if let index = list.popLast() { chosen.append(index) }
                if !list.isEmpty { next.append(list) }
            }
            round = next
        }
        waiting = chosen.sorted().map { waiting[$0] }
    }
}
