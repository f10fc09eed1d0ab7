import Core

/// A request body of a known length, and every body for ourselves, has to come at some rate: a byte a minute would keep
/// every time-out away and the connection for ever. A body in chunks for an app may be a stream that says something now
/// and then, and has the time-out alone.
extension FrontHandler {
    /// - Parameter now: the tick; what passed since the last one is counted if the client was waited for.
    func bodyIsTooSlow(_ now: Int64) -> Bool {
        // Without a deadline for the client nobody waits for it: the upstream takes no more for the moment.
        guard clientDeadline != .max else { return false }
        switch exchange.state {
        case .collecting: break
        case .forwarding(.streaming, _): if body.isChunked { return false }
        case .idle, .resolving, .responding, .forwarding(.ended, _), .tunnelling, .draining, .lingering,
            .closed:
            return false
        }
        current.bodyWaited += loop.sinceLastTick
        let earned = current.bodyReceived / max(1, site.configuration.limits.minimumBodyRate) * 1000
        return current.bodyWaited > site.patience.bodyGrace + earned
    }
}
