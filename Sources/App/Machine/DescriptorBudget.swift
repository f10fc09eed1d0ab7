internal import Glibc

/// How many connections the process has descriptors for.
struct DescriptorBudget: Sendable, Equatable {
    /// `RLIMIT_NOFILE`, as it is in force.
    let limit: Int
    /// Connections of clients; each may need another one to an upstream.
    let connections: Int
    /// Connections to upstreams, those that wait for a request included.
    let upstreamConnections: Int

    /// More are of no use to one process of this kind.
    private static let mostConnections = 65_536

    /// - Parameter limit: how many descriptors there may be.
    init(limit: Int) {
        self.limit = limit
        // For the store, the log, listeners and fetches, and what upstreams have beyond clients.
        let reserve = max(32, min(512, limit / 4))
        connections = max(8, min(Self.mostConnections, (limit - reserve) / 2))
        // Somewhat more than clients: some are accepted beyond the limit, and some connections wait where nobody asks.
        upstreamConnections = connections + reserve / 4
    }

    /// Raises the soft limit to the hard one first, which nobody needs as it is: it is low for the sake of `select`.
    static func raised() -> DescriptorBudget {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            return DescriptorBudget(limit: 1024)
        }
        if limits.rlim_cur < limits.rlim_max {
            var raised = limits
            raised.rlim_cur = limits.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limits = raised }
        }
        return DescriptorBudget(limit: Int(clamping: limits.rlim_cur))
    }
}
