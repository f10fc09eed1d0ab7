internal import Glibc

/// Walks the trees of one committed state and finds whatever LMDB would fall over: pages that are none, places outside of
/// their page or of the file, pages that two trees (or a tree and the list of free pages) have, keys out of order, counts
/// that do not hold.
struct PageWalk {
    /// How a tree's keys are ordered.
    private enum Order {
        case bytes
        /// Native integers of eight bytes: the free pages, by transaction.
        case integers
    }

    /// What one tree is found to hold.
    private struct Tally {
        var branchPages: UInt64 = 0
        var leafPages: UInt64 = 0
        var overflowPages: UInt64 = 0
        var entries: UInt64 = 0
        /// What the next key must not be smaller than.
        var bound: [UInt8]?
        /// A branch's key may be its first leaf's as well.
        var boundIsBranch = false
    }

    /// A value as its node says where it is.
    private enum Value {
        case here(Range<Int>)
        case overflow(UInt64, size: Int)
    }

    private struct Node {
        let flags: UInt16
        let key: Range<Int>
        let value: Value
        /// Within its page.
        let byteCount: Int
    }

    private static let deepest = 32
    private static let bigValue: UInt16 = 0x01
    private static let subTree: UInt16 = 0x02

    private let file: PageFile
    private let meta: MetaPage
    /// A bit a page: some tree has it.
    private var taken: [UInt64]
    private var tally = Tally()

    init(_ file: PageFile, _ meta: MetaPage) {
        self.file = file
        self.meta = meta
        taken = Array(repeating: 0, count: Int(clamping: file.count / 64 &+ 1))
    }

    /// What LMDB looks at when it opens the store: the list of tables, and the first page of each.
    mutating func checkRoots() -> String? {
        do throws(PageDamage) {
            for (name, tree) in try tables() {
                guard let root = tree.root else { continue }
                let page = try file.bytes(of: root)
                let kind = tree.depth == 1 ? PageFlags.leaf : PageFlags.branch
                guard isPage(page, root, kind) else {
                    return "table \(name): page \(root) is not the page that it should be"
                }
                // It is read while the store is opened.
                if name == StoreMetadata.table.description.name {
                    try walk(tree, .bytes) { (_, _, _) throws(PageDamage) in }
                }
            }
            return nil
        } catch {
            return error.text
        }
    }

    /// Everything.
    ///
    /// - Parameter wanted: the names of the tables to look at; nil: all, and the list of free pages.
    /// - Returns: a sentence for each tree that is damaged.
    mutating func check(_ wanted: Set<String>?) -> [String] {
        var problems: [String] = []
        let tables: [(String, TreeRecord)]
        do throws(PageDamage) {
            tables = try self.tables()
        } catch {
            return ["the list of the tables: \(error.text)"]
        }
        for (name, tree) in tables where wanted?.contains(name) ?? true {
            do throws(PageDamage) {
                guard tree.flags == 0 else { throw PageDamage(tree.root ?? 0, "belongs to a tree of another kind") }
                try walk(tree, .bytes) { (_, _, _) throws(PageDamage) in }
            } catch {
                problems.append("table \(name): \(error.text)")
            }
        }
        guard wanted == nil else { return problems }
        do throws(PageDamage) {
            try checkFreePages()
        } catch {
            problems.append("the free pages: \(error.text)")
        }
        return problems
    }

    // MARK: The two trees that every store has

    private mutating func tables() throws(PageDamage) -> [(String, TreeRecord)] {
        var tables: [(String, TreeRecord)] = []
        guard meta.mainTree.flags == 0 else { throw PageDamage(0, "says that the tables are of another kind") }
        try walk(meta.mainTree, .bytes) { (page, node, _) throws(PageDamage) in
            guard node.flags == Self.subTree else { return }
            guard case .here(let place) = node.value, place.count == TreeRecord.byteCount else {
                throw PageDamage(page.number(UInt64.self, at: 0), "has a table's record that is damaged")
            }
            let name = String(decoding: page[node.key], as: UTF8.self)
            tables.append((name, TreeRecord(page, at: place.lowerBound)))
        }
        return tables
    }

    /// A free page that somebody has would be written over at one of the next commits.
    private mutating func checkFreePages() throws(PageDamage) {
        var free: [UInt64] = []
        try walk(meta.freeTree, .integers) { (page, node, overflow) throws(PageDamage) in
            let number = page.number(UInt64.self, at: 0)
            let list: [UInt8]
            switch node.value {
            case .here(let place): list = Array(page[place])
            case .overflow: list = overflow
            }
            guard list.count >= 8, list.count % 8 == 0 else { throw PageDamage(number, "has a list that is cut short") }
            let count = list.number(UInt64.self, at: 0)
            guard count < UInt64(list.count / 8) else { throw PageDamage(number, "has a list that is cut short") }
            for index in 0..<Int(count) { free.append(list.number(UInt64.self, at: 8 * (index + 1))) }
        }
        for number in free {
            guard number >= 2, number <= meta.lastPage else { throw PageDamage(number, "is free and does not exist") }
            // Behind the end of the file: given out and given back in one transaction, never written.
            guard number < file.count else { continue }
            guard take(number) else { throw PageDamage(number, "is free and in use at once") }
        }
    }

    // MARK: A tree

    private mutating func walk(
        _ tree: TreeRecord, _ order: Order,
        _ row: ([UInt8], Node, _ overflow: [UInt8]) throws(PageDamage) -> Void
    ) throws(PageDamage) {
        tally = Tally()
        if let root = tree.root {
            guard (1...Self.deepest).contains(tree.depth) else { throw PageDamage(root, "is the root of no tree") }
            try descend(root, levels: tree.depth, order, row)
        }
        guard tally.branchPages == tree.branchPages, tally.leafPages == tree.leafPages,
            tally.overflowPages == tree.overflowPages, tally.entries == tree.entries
        else {
            throw PageDamage(
                tree.root ?? 0, "is the root of \(tally.entries) rows, and there should be \(tree.entries)")
        }
    }

    private mutating func descend(
        _ number: UInt64, levels: Int, _ order: Order,
        _ row: ([UInt8], Node, _ overflow: [UInt8]) throws(PageDamage) -> Void
    ) throws(PageDamage) {
        let page = try file.bytes(of: number)
        guard number >= 2, take(number) else { throw PageDamage(number, "is in use twice") }
        guard isPage(page, number, levels == 1 ? PageFlags.leaf : PageFlags.branch) else {
            throw PageDamage(number, "is not the page that it should be")
        }
        let places = try places(of: page, number)
        if levels == 1 {
            tally.leafPages += 1
            try leaf(page, number, places, order, row)
            return
        }
        tally.branchPages += 1
        // LMDB has a branch with one child in the list of free pages only, and ends the process for any other.
        guard places.count > (order == .integers ? 0 : 1) else { throw PageDamage(number, "leads to one page only") }
        var used = 0
        for (index, place) in places.enumerated() {
            let keyBytes = Int(page.number(UInt16.self, at: place + 6))
            guard place + 8 + keyBytes <= page.count else { throw PageDamage(number, "has a key outside of it") }
            used += (8 + keyBytes + 1) & ~1
            // The first one's key is not looked at: it stands for whatever is smaller than the second.
            if index > 0 { try accept(page, place + 8..<place + 8 + keyBytes, isBranch: true, order, number) }
            let child =
                UInt64(page.number(UInt16.self, at: place)) | UInt64(page.number(UInt16.self, at: place + 2)) << 16
                | UInt64(page.number(UInt16.self, at: place + 4)) << 32
            try descend(child, levels: levels - 1, order, row)
        }
        try checkUse(of: page, number, used)
    }

    private mutating func leaf(
        _ page: [UInt8], _ number: UInt64, _ places: [Int], _ order: Order,
        _ row: ([UInt8], Node, _ overflow: [UInt8]) throws(PageDamage) -> Void
    ) throws(PageDamage) {
        guard !places.isEmpty else { throw PageDamage(number, "is empty") }
        var used = 0
        for place in places {
            guard let node = Self.node(page, at: place) else { throw PageDamage(number, "has a row outside of it") }
            used += (node.byteCount + 1) & ~1
            try accept(page, node.key, isBranch: false, order, number)
            tally.entries += 1
            var overflow: [UInt8] = []
            if case .overflow(let first, let size) = node.value { overflow = try value(at: first, size: size) }
            try row(page, node, overflow)
        }
        try checkUse(of: page, number, used)
    }

    private static func node(_ page: [UInt8], at place: Int) -> Node? {
        let size = Int(page.number(UInt16.self, at: place)) | Int(page.number(UInt16.self, at: place + 2)) << 16
        let flags = page.number(UInt16.self, at: place + 4)
        let keyBytes = Int(page.number(UInt16.self, at: place + 6))
        let start = place + 8 + keyBytes
        guard flags & ~(bigValue | subTree) == 0, flags != bigValue | subTree, (1...511).contains(keyBytes) else {
            return nil
        }
        let inPage = flags == bigValue ? 8 : size
        guard start <= page.count, inPage <= page.count - start else { return nil }
        let value: Value =
            flags == bigValue
            ? .overflow(page.number(UInt64.self, at: start), size: size) : .here(start..<start + size)
        return Node(flags: flags, key: place + 8..<start, value: value, byteCount: 8 + keyBytes + inPage)
    }

    /// A value that has pages of its own.
    private mutating func value(at first: UInt64, size: Int) throws(PageDamage) -> [UInt8] {
        let head = try file.bytes(of: first)
        let pages = Int(head.number(UInt32.self, at: 12))
        guard first >= 2, isPage(head, first, PageFlags.overflow),
            pages >= (PageFile.headerBytes - 1 + size) / file.pageSize + 1
        else { throw PageDamage(first, "is not the long value that it should be") }
        let bytes = try file.bytes(of: first, pages: pages)
        for number in first..<first + UInt64(pages) where !take(number) {
            throw PageDamage(number, "is in use twice")
        }
        tally.overflowPages += UInt64(pages)
        return Array(bytes[PageFile.headerBytes..<PageFile.headerBytes + size])
    }

    // MARK: A page

    private mutating func take(_ number: UInt64) -> Bool {
        guard number < file.count else { return false }
        let (word, bit) = (Int(number / 64), UInt64(1) << (number % 64))
        defer { taken[word] |= bit }
        return taken[word] & bit == 0
    }

    private func isPage(_ page: [UInt8], _ number: UInt64, _ kind: UInt16) -> Bool {
        page.number(UInt64.self, at: 0) == number && number <= meta.lastPage
            && page.number(UInt16.self, at: 10) & ~PageFlags.transient == kind
    }

    /// Where its nodes begin; each has a header within the page.
    private func places(of page: [UInt8], _ number: UInt64) throws(PageDamage) -> [Int] {
        let lower = Int(page.number(UInt16.self, at: 12))
        let upper = Int(page.number(UInt16.self, at: 14))
        guard lower >= PageFile.headerBytes, lower % 2 == 0, lower <= upper, upper <= page.count else {
            throw PageDamage(number, "is damaged in its head")
        }
        var places: [Int] = []
        for offset in stride(from: PageFile.headerBytes, to: lower, by: 2) {
            let place = Int(page.number(UInt16.self, at: offset))
            guard place >= upper, place + 8 <= page.count else { throw PageDamage(number, "has a row outside of it") }
            places.append(place)
        }
        return places
    }

    /// Nodes lie side by side up to the page's end: less room than they need means that two share some.
    private func checkUse(of page: [UInt8], _ number: UInt64, _ used: Int) throws(PageDamage) {
        guard used == page.count - Int(page.number(UInt16.self, at: 14)) else {
            throw PageDamage(number, "has rows that share their place")
        }
    }

    private mutating func accept(
        _ page: [UInt8], _ place: Range<Int>, isBranch: Bool, _ order: Order, _ number: UInt64
    ) throws(PageDamage) {
        var key = Array(page[place])
        if order == .integers {
            guard key.count == 8 else { throw PageDamage(number, "has a key that is no transaction") }
            key.reverse()
        }
        if let bound = tally.bound {
            let difference = Self.compare(key, bound)
            guard difference > 0 || difference == 0 && tally.boundIsBranch else {
                throw PageDamage(number, "has keys out of order")
            }
        }
        tally.bound = key
        tally.boundIsBranch = isBranch
    }

    private static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let order = memcmp(left, right, min(left.count, right.count))
        return order != 0 ? Int(order) : left.count - right.count
    }
}
