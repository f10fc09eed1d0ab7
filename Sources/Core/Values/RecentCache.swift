/// A bounded dictionary that forgets what was not asked for lately, at a cost that does not depend on its size: a young
/// and an old half. What is found in the old half moves to the young one; when the young one is full it becomes the
/// old one, and the old one is dropped. Not thread-safe: one an event loop.
public struct RecentCache<Key: Hashable, Value> {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let half: Int

    /// - Parameter capacity: at most this many entries are held; 0 holds none.
    public init(capacity: Int) {
        half = capacity <= 0 ? 0 : Swift.max(1, capacity / 2)
    }

    /// The entry of `key`; setting nil forgets it.
    public subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key)
            return value
        }
        set {
            guard let newValue else {
                young[key] = nil
                old[key] = nil
                return
            }
            old[key] = nil
            insert(newValue, for: key)
        }
    }

    /// How many entries are held.
    public var count: Int { young.count + old.count }

    /// Forgets everything.
    public mutating func removeAll() {
        young = [:]
        old = [:]
    }

    private mutating func insert(_ value: Value, for key: Key) {
        guard half > 0 else { return }
        if young.count >= half, young[key] == nil {
            old = young
            young = [:]
        }
        young[key] = value
    }
}
