internal import Core
internal import LMDB

/// A part of somebody's own events.
public struct Activity: Sendable {
    /// Newest first.
    public let events: [AuditEvent]
    /// What to ask for to go on; nil when there are no older ones.
    public let next: UInt64?
}

extension AccountOperations {
    /// The events about the asker's own account, newest first. They are found by an index: what it costs goes by
    /// `limit` alone, however long the log is.
    ///
    /// - Parameters:
    ///   - limit: from 1 to ``ListLimits/longest``.
    ///   - before: only events with a lower sequence.
    /// - Throws: `invalidToken` when the session is over, `invalid`.
    public func activity(
        of principal: Principal, limit: Int = 50, before: UInt64? = nil
    ) throws(AccountsError) -> Activity {
        guard (1...ListLimits.longest).contains(limit) else {
            throw AccountsError(.invalid, "At most \(ListLimits.longest) events can be asked for at once.")
        }
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            return try store.activity(of: user.id, limit: limit, before: before ?? .max, in: transaction)
        }
    }
}

extension Store {
    /// - Parameter userID: events that name the user by name only (of issuers that may use any name) are nobody's own.
    func activity(
        of userID: String, limit: Int, before: UInt64, in transaction: borrowing ReadTransaction
    ) throws -> Activity {
        guard before > 1 else { return Activity(events: [], next: nil) }
        let owner = Self.auditOwner(userID)
        let keys = try Tables.auditByUser.keys(
            prefix: KeyPair<String, UInt64>.prefix(owner), from: KeyPair(owner, before - 1), reversed: true,
            limit: limit + 1, in: transaction)
        var events: [AuditEvent] = []
        for key in keys.prefix(limit) {
            guard let event = try Tables.audit.get(key.second, in: transaction)?.event() else { continue }
            events.append(try current(event, in: transaction))
        }
        return Activity(events: events, next: keys.count > limit ? keys[limit - 1].second : nil)
    }
}

extension AuditEvent {
    /// The device in words of ours; nil for what none of them fits.
    public var device: String? { userAgent.flatMap(DeviceName.recognized) }
}
