/// What can be on a watchlist.
protocol Watched: AnyObject {
    /// Its place in the list, which the list keeps; -1: it is not there.
    var watchPlace: Int { get set }
}

/// What is judged again and again, a few at a time so that nobody else waits for it: a round goes through all that were
/// there when it began, from the last to the first.
struct Watchlist<Member: Watched> {
    /// How many at a time.
    static var batch: Int { 256 }
    /// How long a round takes, in microseconds. With the time after which an exchange counts as one that lasts, and the
    /// tick that finds it, less than a second.
    static var round: Int64 { 400_000 }

    private(set) var members: [Member] = []
    /// Who stands before this place has not been looked at in this round.
    private var cursor = 0

    var isEmpty: Bool { members.isEmpty }

    /// From one batch to the next, in microseconds, so that all have their turn in a round.
    var pause: Int64 {
        let batches = (members.count + Self.batch - 1) / Self.batch
        return Self.round / Int64(max(1, batches))
    }

    mutating func add(_ member: Member) {
        guard member.watchPlace < 0 else { return }
        member.watchPlace = members.count
        members.append(member)
    }

    /// The last member takes the free place: one that may be looked at twice in a round, never one that is left out.
    mutating func remove(_ member: Member) {
        let place = member.watchPlace
        guard members.indices.contains(place), members[place] === member else { return }
        let last = members.removeLast()
        if last !== member {
            members[place] = last
            last.watchPlace = place
        }
        member.watchPlace = -1
        cursor = min(cursor, members.count)
    }

    /// The next to be looked at; begins another round when one is over.
    mutating func nextBatch() -> [Member] {
        if cursor == 0 { cursor = members.count }
        let lower = max(0, cursor - Self.batch)
        defer { cursor = lower }
        return Array(members[lower..<cursor])
    }
}
