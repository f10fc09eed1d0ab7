public import Core

extension RateLimiter {
    /// Counts a request that was refused for its API key. Each refusal is written down by whoever refuses; a key that is
    /// good is never asked about here.
    ///
    /// - Parameter address: nil: it is not known; those share one bucket.
    /// - Returns: nil, or how long to wait for the next answer that says what is wrong with a key.
    public func wait(afterRefusedKeyFrom address: IPAddress?, _ policy: LimitPolicy, at now: Timestamp) -> Duration? {
        if let address, policy.exemptNetworks.contains(where: { $0.contains(address) }) { return nil }
        return takeOne(.refusedKeys, from: address, policy, at: now)
    }
}
