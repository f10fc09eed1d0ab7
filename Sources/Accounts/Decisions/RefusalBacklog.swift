internal import Core

/// Refusals on their way to the disk.
///
/// Each costs a row, so a flood of them must not become a flood of writes: beyond a burst, only so many a second are
/// written, counted for strangers and for people one by one. Which ones is shared out among users and address classes,
/// so that whoever is refused all day does not push out the one refusal of somebody who asks about it.
struct RefusalBacklog {
    /// Of strangers written in a row after a rest: not so many that one burst is all that is kept.
    static let strangersBurst = 1000
    /// Of people written in a row: everything that is ever kept.
    static let peoplesBurst = Store.maximumRefusals
    /// Of each written a second in the long run.
    static let perSecond = 50

    private var strangers = Lane(burst: Self.strangersBurst)
    private var people = Lane(burst: Self.peoplesBurst)
    /// What was taken and is being written.
    private var taken: [KeptRefusal] = []

    mutating func add(_ refusal: KeptRefusal) {
        if refusal.isStrangers { strangers.add(refusal) } else { people.add(refusal) }
    }

    /// - Parameter subject: nil: whosever it is.
    func newest(of requestID: String, subject: String?) -> KeptRefusal? {
        func isMeant(_ refusal: KeptRefusal) -> Bool {
            refusal.requestID == requestID && (subject == nil || refusal.subject == subject)
        }
        let found = [people.waiting.last(where: isMeant), strangers.waiting.last(where: isMeant)].compactMap { $0 }
        return found.max { $0.at < $1.at } ?? taken.last(where: isMeant)
    }

    /// Takes what may be written now, the oldest first. To be ended by ``end(unwritten:)``.
    mutating func take(at now: Timestamp) -> [KeptRefusal] {
        let all = strangers.take(at: now) + people.take(at: now)
        taken = all.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
        return taken
    }

    /// - Parameter unwritten: what could not be written, for the next time.
    mutating func end(unwritten: ArraySlice<KeptRefusal> = []) {
        strangers.putBack(unwritten.filter(\.isStrangers))
        people.putBack(unwritten.filter { !$0.isStrangers })
        taken = []
    }

    /// What waits, and how much of it may be written.
    private struct Lane {
        let burst: Int
        private(set) var waiting: [KeptRefusal] = []
        private var allowance: Int
        private var refilledAt: Timestamp?

        init(burst: Int) {
            self.burst = burst
            allowance = burst
        }

        mutating func add(_ refusal: KeptRefusal) {
            waiting.append(refusal)
            // Twice as many, so that they are not looked through for each one.
            if waiting.count >= 2 * burst { share(leaving: burst) }
        }

        mutating func take(at now: Timestamp) -> [KeptRefusal] {
            refill(now)
            if waiting.count > allowance { share(leaving: allowance) }
            defer { waiting = [] }
            allowance -= waiting.count
            return waiting
        }

        mutating func putBack(_ unwritten: [KeptRefusal]) {
            allowance = min(allowance + unwritten.count, burst)
            waiting.insert(contentsOf: unwritten, at: 0)
            if waiting.count >= 2 * burst { share(leaving: burst) }
        }

        private mutating func refill(_ now: Timestamp) {
            guard let since = refilledAt, now > since else {
                refilledAt = now
                return
            }
            let gained = (now - since).wholeMilliseconds * Int64(RefusalBacklog.perSecond) / 1000
            guard gained > 0 else { return }
            allowance = Int(min(Int64(allowance) + gained, Int64(burst)))
            refilledAt = now
        }

        /// Leaves so many: of everybody the newest, then of everybody the next one.
        private mutating func share(leaving count: Int) {
            var places: [String: [Int]] = [:]
            for index in waiting.indices { places[waiting[index].who, default: []].append(index) }
            var chosen: [Int] = []
            var round = places.values.map { $0 }
            while chosen.count < count, !round.isEmpty {
                var next: [[Int]] = []
                for var list in round where chosen.count < count {
                    if let index = list.popLast() { chosen.append(index) }
                    if !list.isEmpty { next.append(list) }
                }
                round = next
            }
            waiting = chosen.sorted().map { waiting[$0] }
        }
    }
}
