/// Members in the order in which they came. To leave from the middle costs no more than to be the first: tens of thousands
/// may wait here, and all of them leave at once when the client behind them goes.
struct WaitingLine<Member: AnyObject> {
    private var members: [UInt64: Member] = [:]
    private var numbers: [ObjectIdentifier: UInt64] = [:]
    /// Nobody who waits has a lower number.
    private var first: UInt64 = 0
    /// The number of who comes next.
    private var end: UInt64 = 0

    var isEmpty: Bool { members.isEmpty }
    var count: Int { members.count }

    /// - Parameter member: does not wait yet.
    mutating func append(_ member: Member) {
        members[end] = member
        numbers[ObjectIdentifier(member)] = end
        end += 1
    }

    /// Nothing happens when it does not wait.
    mutating func remove(_ member: Member) {
        guard let number = numbers.removeValue(forKey: ObjectIdentifier(member)) else { return }
        members[number] = nil
        // Whoever looks for somebody does not walk past all who were before.
        if members.isEmpty { first = end }
        while first < end, members[first] == nil { first += 1 }
    }

    mutating func popFirst() -> Member? {
        guard !members.isEmpty else { return nil }
        while first < end {
            defer { first += 1 }
            guard let member = members.removeValue(forKey: first) else { continue }
            numbers[ObjectIdentifier(member)] = nil
            return member
        }
        return nil
    }

    /// All of them, who wait no longer.
    mutating func removeAll() -> [Member] {
        var all: [Member] = []
        all.reserveCapacity(count)
        while let member = popFirst() { all.append(member) }
        return all
    }

    func first(where isFit: (Member) -> Bool) -> Member? {
        guard !members.isEmpty else { return nil }
        for number in first..<end {
            if let member = members[number], isFit(member) { return member }
        }
        return nil
    }
}
