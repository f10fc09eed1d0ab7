/// A bounded dictionary. When it is full the hand goes round and takes the first place that was not used since it came
/// by last (the CLOCK approximation of least recently used): no list to mend at each use. Not thread-safe: one an event
/// loop.
///
/// `@inlinable`, because every room keeps its own kind of value in one: unspecialised, a look-up costs several times as
/// much.
public struct ClockCache<Key: Hashable, Value> {
    @usableFromInline
    struct Place {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline var wasUsed: Bool

        @inlinable
        init(key: Key, value: Value, wasUsed: Bool) {
            self.key = key
            self.value = value
            self.wasUsed = wasUsed
        }
    }

    /// How many values are kept at most.
    public let capacity: Int
    @usableFromInline var index: [Key: Int] = [:]
    @usableFromInline var places: [Place] = []
    @usableFromInline var hand = 0

    /// - Parameter capacity: 0 or less: keeps nothing.
    @inlinable
    public init(capacity: Int) {
        self.capacity = max(0, capacity)
    }

    /// How many values are kept.
    @inlinable
    public var count: Int { places.count }

    /// The value's place, valid until the next insertion or removal; counts as a use.
    @inlinable
    public mutating func find(_ key: Key) -> Int? {
        guard let place = index[key] else { return nil }
        places[place].wasUsed = true
        return place
    }

    /// The value at a place that ``find(_:)`` gave.
    @inlinable
    public subscript(place: Int) -> Value {
        get { places[place].value }
        _modify { yield &places[place].value }
    }

    /// Keeps `value`, in place of what was kept for `key`, or of something that was not used lately.
    @inlinable
    public mutating func insert(_ value: Value, for key: Key) {
        guard capacity > 0 else { return }
        if let place = index[key] {
            places[place].value = value
        } else if places.count < capacity {
            index[key] = places.count
            places.append(Place(key: key, value: value, wasUsed: false))
        } else {
            while places[hand].wasUsed {
                places[hand].wasUsed = false
                hand = (hand + 1) % capacity
            }
            index[places[hand].key] = nil
            places[hand] = Place(key: key, value: value, wasUsed: false)
            index[key] = hand
            hand = (hand + 1) % capacity
        }
    }

    /// Forgets what is kept for `key`.
    @inlinable
    public mutating func remove(_ key: Key) {
        guard let place = index.removeValue(forKey: key), let last = places.popLast() else { return }
        if place < places.count {
            places[place] = last
            index[last.key] = place
        }
        if hand >= places.count { hand = 0 }
    }

    /// Forgets everything.
    @inlinable
    public mutating func removeAll() {
        index.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        hand = 0
    }
}
