import Core
import Synchronization

/// The few numbers that all loops share; touched when a connection or a request for ourselves begins and ends, never
/// between head received and head forwarded.
final class SharedState: Sendable {
    private let connections = Atomic<Int>(0)
    private let upstreamConnections = Atomic<Int>(0)
    /// By client.
    let clients = ClientConnections()
    let rareLog = Mutex(RareLog())
    private let prompt = Atomic<Int>(0)
    private let forPasswords = Atomic<Int>(0)
    private let forProviders = Atomic<Int>(0)

    /// How many requests for ourselves may be under way at a time in a lane. Whoever is known may still come when strangers
    /// have taken that many, up to a quarter more.
    ///
    /// For a password more may wait than the hasher takes (512): that one says who is told to come back, and when.
    static func places(in lane: LocalLane, isKnown: Bool) -> Int {
        let places =
            switch lane {
            case .prompt: 512
            case .password: 768
            case .provider: 256
            }
        return isKnown ? places + places / 4 : places
    }

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

    /// Connections to upstreams that are open or being made; touched when one begins and when it ends, never for a request.
    var upstreamConnectionCount: Int { upstreamConnections.load(ordering: .relaxed) }

    /// - Returns: false when there are `maximum` already; then nothing was taken.
    func takeUpstreamConnection(maximum: Int) -> Bool {
        Self.take(upstreamConnections, maximum: maximum)
    }

    func returnUpstreamConnection() {
        upstreamConnections.subtract(1, ordering: .relaxed)
    }

    /// - Returns: false when the lane is full; then nothing was taken.
    func takeLocalRequest(_ lane: LocalLane, isKnown: Bool) -> Bool {
        let maximum = Self.places(in: lane, isKnown: isKnown)
        return switch lane {
        case .prompt: Self.take(prompt, maximum: maximum)
        case .password: Self.take(forPasswords, maximum: maximum)
        case .provider: Self.take(forProviders, maximum: maximum)
        }
    }

    func returnLocalRequest(_ lane: LocalLane) {
        switch lane {
        case .prompt: prompt.subtract(1, ordering: .relaxed)
        case .password: forPasswords.subtract(1, ordering: .relaxed)
        case .provider: forProviders.subtract(1, ordering: .relaxed)
        }
    }

    private static func take(_ counter: borrowing Atomic<Int>, maximum: Int) -> Bool {
        guard counter.add(1, ordering: .relaxed).newValue <= maximum else {
            counter.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }
}
