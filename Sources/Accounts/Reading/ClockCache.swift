/// A bounded dictionary. When it is full the hand goes round and takes the first place that was not used since it came
/// by last (the CLOCK approximation of least recently used): no list to mend at each use.
struct ClockCache<Key: Hashable, Value> {
    private struct Place {
        var key: Key
        var value: Value
        var wasUsed: Bool
    }

    let capacity: Int
    private var index: [Key: Int] = [:]
    private var places: [Place] = []
    private var hand = 0

    /// - Parameter capacity: 0: keeps nothing.
    init(capacity: Int) {
        self.capacity = max(0, capacity)
    }

    var count: Int { places.count }

    /// The value's place, valid until the next ``insert(_:for:)``; counts as a use.
    mutating func find(_ key: Key) -> Int? {
        guard let place = index[key] else { return nil }
        places[place].wasUsed = true
        return place
    }

    subscript(place: Int) -> Value {
        get { places[place].value }
        _modify { yield &places[place].value }
    }

    mutating func insert(_ value: Value, for key: Key) {
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

    mutating func removeAll() {
        index.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        hand = 0
    }
}
