/// Whose turn it is: of one server only so many requests are under way, so that one that hangs leaves threads for all
/// the others, and only so many wait, so that it leaves room for those too. A value without threads: what comes and what
/// has ended go in, what is to be sent comes out.
struct FetchTurns<Job> {
    /// What becomes of a request that comes.
    enum Arrival: Equatable {
        /// It is to be sent now; ``leave(_:)`` is called when it has ended.
        case begins
        /// A later ``leave(_:)`` answers it.
        case waits
        /// Too many wait already.
        case refused
    }

    private struct Server {
        var running = 0
        var waiting: [Job] = []
    }

    private let perServer: Int
    private let waitingPerServer: Int
    private let capacity: Int
    private var servers: [String: Server] = [:]
    /// How many wait, of all servers together.
    private(set) var waiting = 0

    /// - Parameters:
    ///   - perServer: how many of one server may be under way.
    ///   - waitingPerServer: how many of one server may wait.
    ///   - capacity: how many may wait in all.
    init(perServer: Int, waitingPerServer: Int, capacity: Int) {
        self.perServer = max(1, perServer)
        self.waitingPerServer = waitingPerServer
        self.capacity = capacity
    }

    /// Of how many servers something is under way or waits.
    var serverCount: Int { servers.count }

    mutating func arrive(_ job: Job, at name: String) -> Arrival {
        var server = servers[name] ?? Server()
        if server.running < perServer {
            server.running += 1
            servers[name] = server
            return .begins
        }
        guard waiting < capacity, server.waiting.count < waitingPerServer else { return .refused }
        server.waiting.append(job)
        waiting += 1
        servers[name] = server
        return .waits
    }

    /// One of this server's has ended, or could not be sent at all.
    ///
    /// - Returns: the one that is to be sent in its place; nil: none waits.
    mutating func leave(_ name: String) -> Job? {
        guard var server = servers[name] else { return nil }
        guard !server.waiting.isEmpty else {
            server.running -= 1
            servers[name] = server.running > 0 ? server : nil
            return nil
        }
        let next = server.waiting.removeFirst()
        waiting -= 1
        servers[name] = server
        return next
    }
}
