/// What can be on a watchlist.
protocol Watched: AnyObject {
    /// Its place in the list, which the list keeps; -1: it is not there.
    var watchPlace: Int { get set }
}

/// What is judged again and again, a few at a time so that nobody else waits for it. A round goes from the first to the
/// last; who is added during a round still has a turn in it, and nobody is left out when others leave.
struct Watchlist<Member: Watched> {
    /// How many at a time, at most.
    static var largestBatch: Int { 256 }
    /// How long a round takes, in microseconds. With the time after which an exchange counts as one that lasts, and the
    /// tick that finds it, less than a second.
    static var round: Int64 { 500_000 }
    /// In so many batches, at least, so that whoever is added does not wait for a whole round to end.
    private static var fewestBatches: Int { 4 }

    private(set) var members: [Member] = []
    /// Who stands before this place has had a turn in this round.
    private var cursor = 0
    // Set when a round begins and only made faster during it: a round in which many leave does not get slower.
    private var batch = 1
    /// From one batch to the next, in microseconds.
    private(set) var pause = Watchlist.round

    var isEmpty: Bool { members.isEmpty }

    /// The round is over.
    var isAtEnd: Bool { cursor >= members.count }

    mutating func add(_ member: Member) {
        guard member.watchPlace < 0 else { return }
        put(member, at: members.count)
        keepPace()
    }

    mutating func remove(_ member: Member) {
        let place = member.watchPlace
        guard members.indices.contains(place), members[place] === member else { return }
        var free = place
        if place < cursor {
            // The free place is moved to the border, so that the last member stays among those that wait.
            cursor -= 1
            if free != cursor { put(members[cursor], at: free) }
            free = cursor
        }
        let last = members.removeLast()
        if free < members.count { put(last, at: free) }
        member.watchPlace = -1
    }

    /// The next to be looked at; begins another round when one is over.
    mutating func nextBatch() -> [Member] {
        if isAtEnd {
            cursor = 0
            batch = 1
            pause = Self.round
            keepPace()
        }
        let end = min(cursor + batch, members.count)
        defer { cursor = end }
        return Array(members[cursor..<end])
    }

    private mutating func put(_ member: Member, at place: Int) {
        member.watchPlace = place
        if place < members.count { members[place] = member } else { members.append(member) }
    }

    private mutating func keepPace() {
        let full = (members.count + Self.largestBatch - 1) / Self.largestBatch
        let batches = max(Self.fewestBatches, full)
        batch = max(batch, (members.count + batches - 1) / batches)
        pause = min(pause, Self.round / Int64(batches))
    }
}
