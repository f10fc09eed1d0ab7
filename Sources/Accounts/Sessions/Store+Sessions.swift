internal import Core
internal import LMDB

extension Store {
    /// Sessions that are neither expired nor revoked, newest first.
    ///
    /// - Parameter user: only this user's (id, user name or e-mail address).
    /// - Throws: `notFound` when there is no such user.
    public func sessions(user: String? = nil) throws(AccountsError) -> [Session] {
        let now = clock.now()
        let sessions: [Session] = try read { transaction in
            var records: [SessionRecord] = []
            if let user {
                let owner = try self.require(user: user, in: transaction)
                for id in try self.sessionIDs(of: owner.id, in: transaction) {
                    if let record = try Tables.sessions.get(id, in: transaction) { records.append(record) }
                }
            } else {
                try Tables.sessions.forEach(in: transaction) { _, record, _ in
                    records.append(record)
                    return true
                }
            }
            records.removeAll { $0.revokedAt != nil || $0.expiresAt <= now }
            return try records.map { try self.view(of: $0, in: transaction) }
        }
        return sessions.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    /// Ends a session and its access token; the next request with it is refused, and its device is not trusted any more.
    /// Again: changes nothing.
    ///
    /// - Throws: `notFound`.
    public func revokeSession(_ id: String, by actor: AuditActor) throws(AccountsError) -> Session {
        let now = clock.now()
        return try write { transaction in
            guard !id.isEmpty, id.utf8.count <= 254, var record = try Tables.sessions.get(id, in: transaction) else {
                throw AccountsError(
                    .notFound, "There is no session \(quoted(id)): `gatehouse session list` shows the ids.")
            }
            try self.endEmailChange(of: record.userID, .of(session: id), in: transaction)
            guard record.revokedAt == nil else { return try self.view(of: record, in: transaction) }
            try self.end(&record, at: now, in: transaction)
            try self.distrustDevice(of: record, in: transaction)
            let user = try Tables.users.get(record.userID, in: transaction)
            try self.append(
                NewAuditEvent(.sessionRevoked, user: user?.username, userID: record.userID, session: id),
                by: actor, at: now, in: transaction)
            return try self.view(of: record, in: transaction)
        }
    }

    func insert(_ record: SessionRecord, in transaction: borrowing WriteTransaction) throws {
        guard try Tables.sessions.insert(record, for: record.id, in: transaction) else {
            throw AccountsError(.store, "The random generator gave the same session id twice.")
        }
        try Tables.sessionsByUser.put(EmptyRecord(), for: KeyPair(record.userID, record.id), in: transaction)
        try scheduleSweep(.session(record.id), at: record.freeAt, in: transaction)
    }

    func sessionIDs(
        of userID: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [String] {
        try Tables.sessionsByUser.keys(prefix: KeyPair<String, String>.prefix(userID), in: transaction).map(\.second)
    }

    /// - Parameter current: the session that asks.
    func view(
        of record: SessionRecord, current: String? = nil,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Session {
        Session(
            record, username: try Tables.users.get(record.userID, in: transaction)?.username,
            lastUse: try Tables.lastUses.get(record.id, in: transaction), current: current)
    }
}
