public import Core

extension ListPage {
    /// A list that is here as a whole, and whose rows are gone for good when they are removed: what `next` names carries
    /// its own place, so that whoever removes that row goes on where they were.
    ///
    /// - Parameters:
    ///   - all: in any order.
    ///   - before: a `next`, or the id of one of them.
    /// - Throws: `invalid` when it is neither.
    public init(
        of all: [Item], limit: Int, before: String?, id: (Item) -> String, time: (Item) -> Timestamp
    ) throws(AccountsError) {
        let rows = all.map { (place: ListPlace(time: time($0), id: id($0)), item: $0) }.sorted { $0.place > $1.place }
        var rest = rows[...]
        var known: String?
        if let before {
            if rows.contains(where: { $0.place.id == before }) {
                known = before
            } else {
                guard let place = ListPlace(before) else {
                    throw AccountsError(.invalid, "There is nothing of yours that \(quoted(before)) is the id of.")
                }
                rest = rest.drop { $0.place >= place }
            }
        }
        let page = try ListPage<(place: ListPlace, item: Item)>(
            of: Array(rest), limit: limit, before: known, id: { $0.place.id })
        self.init(items: page.items.map(\.item), next: page.next == nil ? nil : page.items.last?.place.text)
    }
}

/// Where something stands in a list, whether it is there still or not: it leads nowhere but into the asker's own list.
struct ListPlace: Comparable, Sendable {
    /// Of the longest id that is taken.
    private static let longestID = 40

    var time: Timestamp
    var id: String

    init(time: Timestamp, id: String) {
        self.time = time
        self.id = id
    }

    /// - Returns: nil for what ``text`` has not made.
    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "at", (1...16).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let milliseconds = Int64(parts[1], radix: 16), (1...Self.longestID).contains(parts[2].utf8.count),
            parts[2].utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x5f
            })
        else { return nil }
        self.init(time: Timestamp(milliseconds: milliseconds), id: String(parts[2]))
    }

    /// Letters, digits, `-` and `_`.
    var text: String { "at-\(String(max(0, time.milliseconds), radix: 16))-\(id)" }

    static func < (one: ListPlace, other: ListPlace) -> Bool { (one.time, one.id) < (other.time, other.id) }
}
