/// Who waits for a run, in turns: each place has a line of its own, and the places take turns, so that a crowd from one
/// network keeps nobody else waiting. A place alone has all of it.
///
/// ```
///   places in turn   A ▶ B ▶ C      next: the first of A's line, then of B's, of C's, A's second, …
///                    a b c
///                    a b
///                    a              full: the last of the longest line gives way to who has a shorter one
/// ```
///
/// A value without a lock, a clock, or threads.
struct HashLine<Member> {
    private struct Entry {
        let id: UInt64
        let since: ContinuousClock.Instant
        let member: Member
    }

    private var lines: [String: ArraySlice<Entry>] = [:]
    /// The places that have a line, whose turn is next first.
    private var turns: ArraySlice<String> = []
    /// How many wait.
    private(set) var count = 0

    /// - Parameters:
    ///   - id: larger than all before.
    ///   - place: a network of clients.
    mutating func append(_ member: Member, id: UInt64, from place: String, at now: ContinuousClock.Instant) {
        let entry = Entry(id: id, since: now, member: member)
        if lines[place]?.append(entry) == nil {
            lines[place] = [entry]
            turns.append(place)
        }
        count += 1
    }

    /// Whose turn it is.
    ///
    /// - Parameters:
    ///   - oldest: who waits since before has waited too long.
    ///   - late: gets those of the place whose turn it is who have waited too long.
    mutating func next(notBefore oldest: ContinuousClock.Instant, late: (Member) -> Void) -> Member? {
        while let place = turns.popFirst() {
            guard var line = lines.removeValue(forKey: place) else { continue }
            var found: Member?
            while found == nil, let entry = line.popFirst() {
                count -= 1
                if entry.since < oldest { late(entry.member) } else { found = entry.member }
            }
            if !line.isEmpty {
                lines[place] = line
                turns.append(place)
            }
            if let found { return found }
        }
        return nil
    }

    /// Takes one out who has gone away.
    mutating func remove(_ id: UInt64, from place: String) -> Member? {
        guard var line = lines[place], let index = line.firstIndex(where: { $0.id == id }) else { return nil }
        let entry = line.remove(at: index)
        replaceLine(of: place, by: line)
        return entry.member
    }

    /// Takes the last of the longest line out, where that is longer than the line of a place would be with one more.
    ///
    /// - Returns: nil when no place has more than a fair share beside this one.
    mutating func makeRoom(for place: String) -> Member? {
        let own = lines[place]?.count ?? 0
        guard let longest = lines.max(by: { $0.value.count < $1.value.count }), longest.value.count > own + 1 else {
            return nil
        }
        var line = longest.value
        guard let last = line.popLast() else { return nil }
        replaceLine(of: longest.key, by: line)
        return last.member
    }

    /// Takes out all.
    mutating func removeAll() -> [Member] {
        defer { self = HashLine() }
        return lines.values.flatMap { $0.map(\.member) }
    }

    private mutating func replaceLine(of place: String, by line: ArraySlice<Entry>) {
        count -= 1
        guard line.isEmpty else {
            lines[place] = line
            return
        }
        lines.removeValue(forKey: place)
        if let turn = turns.firstIndex(of: place) { turns.remove(at: turn) }
    }
}
