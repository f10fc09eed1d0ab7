import Policy

/// The right to send one request to an upstream: only a permit makes it, and it is used up by the exchange.
struct Lease: ~Copyable {
    let permit: Permit
    let pool: UpstreamPool
    /// Servers that were tried, one bit each.
    private(set) var tried: UInt64 = 0
    /// The pool's number of the server; negative when it knows of none that is well.
    private(set) var endpoint: Int

    init(permit: consuming Permit, pool: UpstreamPool) {
        self.permit = permit
        self.pool = pool
        endpoint = pool.choose(notIn: 0) ?? -1
    }

    /// The server for a second try: another one if there is one that is better.
    mutating func retry() {
        endpoint = pool.choose(notIn: tried) ?? endpoint
    }

    /// The next server that has not been tried.
    ///
    /// - Returns: false when there is none left.
    mutating func failOver() -> Bool {
        tried |= 1 << UInt64(endpoint & 63)
        guard let next = pool.choose(notIn: tried) else { return false }
        endpoint = next
        return true
    }
}
