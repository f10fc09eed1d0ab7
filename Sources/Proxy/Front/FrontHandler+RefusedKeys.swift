import Core

/// Clients that go on with API keys that are wrong or revoked.
extension FrontHandler {
    /// How long the client has to wait, which is counted as one more; nil: it may be told what is wrong with its key, or
    /// it was not refused for one. To be asked only where the request is refused: where everyone is let in a bad key is
    /// no key.
    func waitAfterRefusedKey(_ resolved: Resolved, at now: Timestamp) -> Duration? {
        guard resolved.isRefusedKey else { return nil }
        return loop.context.waitAfterRefusedKey(current.clientAddress, now)
    }
}
