import Synchronization

/// A number that several threads may raise.
final class Counter: Sendable {
    private let content = Mutex(0)

    var value: Int { content.withLock { $0 } }

    func add(_ count: Int) { content.withLock { $0 += count } }
}
