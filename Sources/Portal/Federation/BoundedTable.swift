internal import Core
internal import Synchronization

/// Things that wait in memory for a moment, each to be taken once: bounded, also a client's share of them, so that
/// nobody can push out those of others.
final class BoundedTable<Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let place: String
        let expiresAt: Timestamp
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Oldest first; ids that are gone stay until the list is tidied.
        var order: [String] = []
        var ofPlace: [String: [String]] = [:]
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let share: Int

    /// - Parameters:
    ///   - capacity: of all clients together.
    ///   - share: of one place.
    init(capacity: Int = 16_384, share: Int = 2048) {
        self.capacity = capacity
        self.share = share
    }

    /// Keeps something under an id that nobody can guess.
    func insert(_ value: Value, id: String, from place: String, until expiresAt: Timestamp) {
        state.withLock { state in
            if let mine = state.ofPlace[place], mine.count >= share, let oldest = mine.first {
                Self.remove(oldest, from: &state)
            }
            while state.entries.count >= capacity, !state.order.isEmpty {
                Self.remove(state.order.removeFirst(), from: &state)
            }
            if state.order.count > 2 * capacity { state.order.removeAll { state.entries[$0] == nil } }
            state.entries[id] = Entry(value: value, place: place, expiresAt: expiresAt)
            state.order.append(id)
            state.ofPlace[place, default: []].append(id)
        }
    }

    /// What was kept under this id, unless its time is over; it is gone from here on, whatever becomes of it.
    func take(_ id: String, at now: Timestamp) -> Value? {
        state.withLock { state in
            guard let entry = Self.remove(id, from: &state), entry.expiresAt > now else { return nil }
            return entry.value
        }
    }

    @discardableResult
    private static func remove(_ id: String, from state: inout State) -> Entry? {
        guard let entry = state.entries.removeValue(forKey: id) else { return nil }
        state.ofPlace[entry.place]?.removeAll { $0 == id }
        if state.ofPlace[entry.place]?.isEmpty == true { state.ofPlace[entry.place] = nil }
        return entry
    }
}
