internal import Core
internal import LMDB

/// A loop's view of the store with a bounded cache of findings.
///
/// While no transaction was committed anywhere a finding holds. After one only the headers of its rows are read again,
/// and records are decoded again only where a revision differs: a revocation is seen by the next request, and a storm
/// of other writes does not make every request decode.
struct LoopReading<Key: Hashable> {
    private let reader: Reader
    private var cache: ClockCache<Key, Finding>
    /// How often records were decoded.
    private(set) var decodes = 0
    /// How often a cached finding was used.
    private(set) var hits = 0

    init(_ store: Store, capacity: Int) throws(AccountsError) {
        do {
            reader = try store.environment.makeReader()
        } catch {
            throw .wrapping(error)
        }
        cache = ClockCache(capacity: capacity)
    }

    mutating func removeAll() {
        cache.removeAll()
    }

    /// The next answer for `key` is made anew.
    mutating func remove(_ key: Key) {
        guard let place = cache.find(key) else { return }
        cache[place].invalidate()
    }

    /// The finding for `key`.
    ///
    /// - Parameters:
    ///   - plausible: whether a key that is not cached is worth a look into the store.
    ///   - load: makes it from the records; nil when nothing is known, which is not cached.
    mutating func finding(
        for key: Key, onlyIf plausible: () -> Bool = { true }, _ load: (borrowing ReadTransaction) throws -> Finding?
    ) throws -> Outcome? {
        guard let place = cache.find(key) else {
            guard plausible(), let finding = try fresh(load) else { return nil }
            cache.insert(finding, for: key)
            return finding.outcome
        }
        if cache[place].transactionID == reader.lastTransactionID {
            hits += 1
            return cache[place].outcome
        }
        let checked = try reader.read { transaction -> UInt64? in
            try cache[place].holds(in: transaction) ? transaction.transactionID : nil
        }
        if let checked {
            cache[place].transactionID = checked
            hits += 1
            return cache[place].outcome
        }
        guard let finding = try fresh(load) else {
            // The row is gone for good: what was cached must not be found again.
            cache[place].invalidate()
            return nil
        }
        cache[place] = finding
        return finding.outcome
    }

    /// Runs `body` on the newest view.
    func read<Result>(_ body: (borrowing ReadTransaction) throws -> Result) throws -> Result {
        try reader.read(body)
    }

    var lastTransactionID: UInt64 { reader.lastTransactionID }

    private mutating func fresh(_ load: (borrowing ReadTransaction) throws -> Finding?) throws -> Finding? {
        decodes += 1
        return try reader.read(load)
    }
}
