internal import Core
internal import LMDB

extension Store {
    /// How many sessions a request could use now: neither ended, expired nor, as far as it was written, idle for too
    /// long.
    ///
    /// Reads each of them, in pieces, so that no view of the store is held open.
    public func liveSessionCount() throws(AccountsError) -> Int {
        let now = clock.now()
        var count = 0
        var last: String?
        while true {
            let begin = last
            let (found, end) = try read { transaction -> (Int, String?) in
                var (found, seen) = (0, 0)
                var end: String?
                try Tables.sessions.forEach(from: begin, in: transaction) { id, session, _ in
                    guard id != begin else { return true }
                    seen += 1
                    if session.revokedAt == nil, session.expiresAt > now,
                        try self.isInUse(session, at: now, in: transaction)
                    {
                        found += 1
                    }
                    end = seen < Self.batchSize ? nil : id
                    return end == nil
                }
                return (found, end)
            }
            count += found
            guard let end else { return count }
            last = end
        }
    }
}
