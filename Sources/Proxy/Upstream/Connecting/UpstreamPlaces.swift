import Logging
import NIOCore

/// There are as many connections to upstreams as there may be, and none of them ended in time.
struct NoUpstreamPlace: Error, CustomStringConvertible {
    var description: String { "there are as many connections to upstreams as there are descriptors for" }
}

/// How many connections to upstreams there may be, on all loops: each holds a descriptor, and one connection of HTTP/2 may
/// ask for a hundred of them. Without a bound those who ask for much would leave none to accept with, not even for the
/// monitor.
extension ProxyLoop {
    /// One more connection may be made. Where there is no room, a connection that nobody uses makes some.
    func takeUpstreamPlace() -> Bool {
        let maximum = site.configuration.limits.maximumUpstreamConnections
        guard !shared.takeUpstreamConnection(maximum: maximum) else { return true }
        logRarely("upstream connections", .warning, "a connection to an upstream waits: there are as many as may be") {
            ["connections": "\(maximum)"]
        }
        discardOldestIdle()
        return false
    }

    /// Connections that nobody uses are better closed than kept, on every loop: another may wait for their descriptors.
    var isShortOfUpstreamPlaces: Bool {
        let maximum = site.configuration.limits.maximumUpstreamConnections
        return shared.upstreamConnectionCount >= maximum - maximum / 4
    }

    private func discardOldestIdle() {
        let oldest = pools.min { ($0.oldestIdle ?? .max) < ($1.oldestIdle ?? .max) }
        oldest?.discardOldestIdle()
    }
}

extension UpstreamPool {
    /// When its oldest idle connection would be given up, in ticks of the loop; nil: there is none.
    var oldestIdle: Int64? { endpoints.lazy.compactMap(\.idle.first?.idleUntil).min() }

    func discardOldestIdle() {
        guard let oldest = oldestIdle,
            let index = endpoints.firstIndex(where: { $0.idle.first?.idleUntil == oldest })
        else { return }
        endpoints[index].idle.removeFirst().discard()
    }
}
