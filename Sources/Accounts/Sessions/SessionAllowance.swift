internal import Core
internal import LMDB

/// How many sessions an account has at a time, and which ones go when they are too many: a program that signs in again and
/// again, where it should exchange its refresh token, must not fill the store, and whatever ends all sessions of an account
/// does so in one transaction. Pure.
///
/// ```
///   1. those that are over, the oldest first
///   2. of browsers or of API clients, whichever are more, the one that was not used for longest
/// ```
///
/// So a program keeps none of its owner's browsers out.
struct SessionAllowance {
    /// So many are left. Tokens of the operator's are counted apart: they end within a day.
    static let most = 256
    /// They are looked at when there are so many more, so that not every sign-in has to.
    static let surplus = 32

    struct Entry: Equatable {
        let id: String
        let kind: SessionRecord.Kind
        /// A request could use it now.
        let isAlive: Bool
        let lastUse: Timestamp
    }

    /// - Parameter most: so many of them stay.
    /// - Returns: those that go.
    static func excess(of entries: [Entry], leaving most: Int) -> [Entry] {
        func oldestFirst(_ isMeant: (Entry) -> Bool) -> ArraySlice<Entry> {
            entries.filter(isMeant).sorted { ($0.lastUse, $0.id) < ($1.lastUse, $1.id) }[...]
        }
        let count = max(0, entries.count - most)
        var gone = Array(oldestFirst { !$0.isAlive }.prefix(count))
        var browsers = oldestFirst { $0.isAlive && $0.kind == .browser }
        var others = oldestFirst { $0.isAlive && $0.kind != .browser }
        while gone.count < count {
            guard let next = others.count > browsers.count ? others.popFirst() : browsers.popFirst() else { break }
            gone.append(next)
        }
        return gone
    }
}

extension Store {
    /// Removes what an account has too many of (``SessionAllowance``), behind a session that has just begun.
    ///
    /// - Parameter current: that session.
    func letGoOfSessions(
        of user: UserRecord, besides current: String, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let ids = try sessionIDs(of: user.id, in: transaction)
        guard ids.count > SessionAllowance.most + SessionAllowance.surplus else { return }
        var entries: [SessionAllowance.Entry] = []
        for id in ids where id != current {
            guard let session = try Tables.sessions.get(id, in: transaction) else { continue }
            let isAlive = try session.isAlive(for: user, at: now) && isInUse(session, at: now, in: transaction)
            if isAlive, session.kind == .token { continue }
            let lastUse = try Tables.lastUses.get(id, in: transaction)?.at ?? session.createdAt
            entries.append(SessionAllowance.Entry(id: id, kind: session.kind, isAlive: isAlive, lastUse: lastUse))
        }
        let gone = SessionAllowance.excess(of: entries, leaving: SessionAllowance.most - 1)
        for entry in gone {
            guard let session = try Tables.sessions.get(entry.id, in: transaction) else { continue }
            try endEmailChange(of: user.id, .of(session: entry.id), in: transaction)
            try removeSession(session, in: transaction)
        }
        try noteEnded(
            gone.filter(\.isAlive).map(\.id), of: user, why: "too_many", by: actor, at: now, in: transaction)
    }
}
