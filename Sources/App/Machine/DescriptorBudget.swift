internal import Glibc

/// How many connections the process has descriptors for.
struct DescriptorBudget: Sendable, Equatable {
    /// `RLIMIT_NOFILE`, as it is in force.
    let limit: Int
    /// Connections of clients; each may need another one to an upstream.
    let connections: Int

    /// More are of no use to one process of this kind.
    private static let mostConnections = 65_536

    /// - Parameter limit: how many descriptors there may be.
    init(limit: Int) {
        self.limit = limit
        // For the store, the log, listeners, idle connections to upstreams, and fetches.
        let reserve = max(32, min(512, limit / 4))
        connections = max(8, min(Self.mostConnections, (limit - reserve) / 2))
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
