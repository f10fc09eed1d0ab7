/// A part of a list that is told newest first.
public struct ListPage<Item: Sendable>: Sendable {
    public let items: [Item]
    /// Where to go on, behind the last one; nil when there are no older ones.
    public let next: String?

    init(items: [Item], next: String?) {
        self.items = items
        self.next = next
    }

    /// A list that is here as a whole.
    ///
    /// - Parameters:
    ///   - all: newest first.
    ///   - limit: at most so many.
    ///   - before: only those that stand behind the one with this id.
    /// - Throws: `invalid` when none of them has that id.
    public init(of all: [Item], limit: Int, before: String?, id: (Item) -> String) throws(AccountsError) {
        try self.init(of: all, limit: limit, before: before, id: id) { item throws(AccountsError) in item }
    }

    /// - Parameter show: nil: it is over, and only a place in the list.
    init<Row>(
        of rows: [Row], limit: Int, before: String?, id: (Row) -> String,
        show: (Row) throws(AccountsError) -> Item?
    ) throws(AccountsError) {
        guard (1...ListLimits.longest).contains(limit) else {
            throw AccountsError(.invalid, "At most \(ListLimits.longest) can be asked for at once.")
        }
        var start = rows.startIndex
        if let before {
            guard let place = rows.firstIndex(where: { id($0) == before }) else {
                throw AccountsError(.invalid, "There is nothing of yours that \(quoted(before)) is the id of.")
            }
            start = place + 1
        }
        var items: [Item] = []
        var last: String?
        var hasMore = false
        for row in rows[start...] {
            guard let item = try show(row) else { continue }
            if items.count == limit {
                hasMore = true
                break
            }
            items.append(item)
            last = id(row)
        }
        self.items = items
        next = hasMore ? last : nil
    }
}

/// How much of a list can be asked for.
public enum ListLimits {
    /// At most.
    public static let longest = 200
    /// Where nothing is said.
    public static let usual = 50
}
