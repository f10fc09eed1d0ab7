internal import Core
internal import Synchronization

/// Things that wait in memory for a moment, each to be taken once: bounded, also each place's share of them
/// (``FairShares``) and each browser's, so that nobody can push out those of others.
final class BoundedTable<Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        let expiresAt: Timestamp
        /// The digest of the browser's cookie; nil: no browser's.
        let owner: [UInt8]?
    }

    private struct State {
        var all: FairShares<Entry>
        /// The ids of each browser's, oldest first.
        var owned: [[UInt8]: [String]] = [:]

        mutating func remove(_ id: String) -> Entry? {
            guard let entry = all[id] else { return nil }
            all.remove(id)
            forget([(id, entry)])
            return entry
        }

        /// These are gone already.
        mutating func forget(_ gone: [(id: String, value: Entry)]) {
            for (id, entry) in gone {
                guard let owner = entry.owner, var ids = owned.removeValue(forKey: owner) else { continue }
                ids.removeAll { $0 == id }
                if !ids.isEmpty { owned[owner] = ids }
            }
        }
    }

    private let state: Mutex<State>
    private let ownerShare: Int

    /// - Parameters:
    ///   - capacity: of all clients together.
    ///   - siteShare: of an IPv4 address, or a /48.
    ///   - networkShare: of a /64 in it.
    ///   - ownerShare: of a browser; its oldest gives way.
    init(capacity: Int = 16_384, siteShare: Int = 2048, networkShare: Int = 128, ownerShare: Int = 1024) {
        state = Mutex(State(all: FairShares(capacity: capacity, siteShare: siteShare, networkShare: networkShare)))
        self.ownerShare = max(1, ownerShare)
    }

    /// Keeps something under an id that nobody can guess.
    ///
    /// - Parameter owner: the digest of the browser's cookie.
    func insert(
        _ value: Value, id: String, from place: ClientPlace, owner: [UInt8]? = nil, until expiresAt: Timestamp
    ) {
        state.withLock { state in
            _ = state.remove(id)
            if let owner, let ids = state.owned[owner], ids.count >= ownerShare, let oldest = ids.first {
                _ = state.remove(oldest)
            }
            let entry = Entry(value: value, expiresAt: expiresAt, owner: owner)
            state.forget(state.all.insert(entry, id: id, from: place))
            if let owner { state.owned[owner, default: []].append(id) }
        }
    }

    /// Changes what is kept under this id, if it is there still; its time stays the same.
    func change(_ id: String, _ change: @Sendable (inout Value) -> Void) {
        state.withLock { $0.all.change(id) { change(&$0.value) } }
    }

    /// What was kept under this id, unless its time is over; it is gone from here on, whatever becomes of it.
    func take(_ id: String, at now: Timestamp) -> Value? {
        state.withLock { state in
            guard let entry = state.remove(id) else { return nil }
            return entry.expiresAt > now ? entry.value : nil
        }
    }

    /// Removes all whose time is over.
    func sweep(at now: Timestamp) {
        state.withLock { state in state.forget(state.all.removeAll { $0.expiresAt <= now }) }
    }

    /// How many are kept, and of how many browsers.
    var count: (entries: Int, owners: Int) { state.withLock { ($0.all.count, $0.owned.count) } }
}
