import Synchronization

/// The few numbers that all loops share; touched when a connection or a request for ourselves begins and ends, never
/// between head received and head forwarded.
final class SharedState: Sendable {
    private let connections = Atomic<Int>(0)
    /// By client.
    let clients = ClientConnections()
    let rareLog = Mutex(RareLog())
    private let localRequests = Atomic<Int>(0)

    /// How many requests for ourselves may be answered at a time.
    static let localRequestLimit = 64

    /// How many connections may be accepted beyond the maximum before a listener pauses.
    static let connectionSlack = 256

    var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// - Returns: false when there are far more than `maximum` already; then nothing was taken.
    func takeConnection(maximum: Int) -> Bool {
        Self.take(connections, maximum: maximum + Self.connectionSlack)
    }

    func returnConnection() {
        connections.subtract(1, ordering: .relaxed)
    }

    func takeLocalRequest() -> Bool {
        Self.take(localRequests, maximum: Self.localRequestLimit)
    }

    func returnLocalRequest() {
        localRequests.subtract(1, ordering: .relaxed)
    }

    private static func take(_ counter: borrowing Atomic<Int>, maximum: Int) -> Bool {
        guard counter.add(1, ordering: .relaxed).newValue <= maximum else {
            counter.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }
}
