public import Core
internal import Cryptography
internal import LMDB

extension AccountOperations {
    /// The sessions of whoever asks, newest first, one of them current. Those that were idle for too long are left out.
    public func sessions(of principal: Principal) throws(AccountsError) -> [Session] {
        let store = store
        let now = now
        let sessions: [Session] = try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            var sessions: [Session] = []
            for id in try store.sessionIDs(of: user.id, in: transaction) {
                guard let record = try Tables.sessions.get(id, in: transaction), record.isAlive(for: user, at: now),
                    try store.isInUse(record, at: now, in: transaction)
                else { continue }
                sessions.append(try store.view(of: record, current: principal.session, in: transaction))
            }
            return sessions
        }
        return sessions.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    /// A part of ``sessions(of:)``. One that is over by now is still a place to go on from.
    ///
    /// - Throws: `invalid` for a `before` that is none of the asker's.
    public func sessions(
        of principal: Principal, limit: Int, before: String? = nil
    ) throws(AccountsError) -> ListPage<Session> {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            var records: [SessionRecord] = []
            for id in try store.sessionIDs(of: user.id, in: transaction) {
                if let record = try Tables.sessions.get(id, in: transaction) { records.append(record) }
            }
            records.sort { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
            let page = try ListPage(of: records, limit: limit, before: before, id: \.id) {
                record throws(AccountsError) -> Session? in
                do {
                    guard record.isAlive(for: user, at: now), try store.isInUse(record, at: now, in: transaction)
                    else { return nil }
                    return try store.view(of: record, current: principal.session, in: transaction)
                } catch {
                    throw .wrapping(error)
                }
            }
            return page
        }
    }

    /// Ends one of the asker's own sessions, the current one included. The device of another one is not trusted any
    /// more: whoever ends it from elsewhere may have lost that.
    ///
    /// - Returns: false for one that was ended before.
    /// - Throws: `notFound`, also for somebody else's.
    @discardableResult
    public func revokeSession(
        _ id: String, of principal: Principal, from client: Client
    ) async throws(AccountsError) -> Bool {
        let store = store
        let now = now
        return try await store.writing { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            guard !id.isEmpty, id.utf8.count <= 254, var session = try Tables.sessions.get(id, in: transaction),
                session.userID == user.id
            else { throw AccountsError(.notFound, "There is no such session of yours.") }
            // Also of a session that is over: its wish may wait still.
            try store.endEmailChange(of: user.id, .of(session: id), in: transaction)
            guard session.revokedAt == nil else { return false }
            try store.end(&session, at: now, in: transaction)
            if id != principal.session { try store.distrustDevice(of: session, in: transaction) }
            try store.append(
                NewAuditEvent(.sessionRevoked, user: user.username, userID: user.id, session: id),
                by: client.actor(user.username, session: principal.session), at: now, in: transaction)
            return true
        }
    }

    /// Ends all sessions of the asker but the current one; with `everywhere` that one too. No device is trusted any more.
    ///
    /// - Returns: how many ended.
    @discardableResult
    public func revokeSessions(
        of principal: Principal, everywhere: Bool = false, from client: Client
    ) async throws(AccountsError) -> Int {
        let store = store
        let now = now
        return try await store.writing { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            let kept = everywhere ? nil : principal.session
            let ended = try store.endSessions(of: user, except: kept, at: now, in: transaction)
            try store.distrustDevices(of: user.id, in: transaction)
            try store.noteEnded(
                ended, of: user, by: client.actor(user.username, session: principal.session), at: now, in: transaction)
            return ended.count
        }
    }

    /// Ends the current session, whatever it is by: also one that is over already ends well.
    public func signOut(_ identity: Identity, from client: Client) async throws(AccountsError) {
        let id: String
        switch identity.origin {
        case .session(let origin): id = origin.session
        case .accessToken(let token): id = token.session
        case .apiKey, .foreign, nil:
            throw AccountsError(.refused, "Only a session can be signed out of; a key is revoked.")
        }
        let store = store
        let now = now
        try await store.writing { transaction in
            guard var session = try Tables.sessions.get(id, in: transaction), session.revokedAt == nil else { return }
            let user = try Tables.users.get(session.userID, in: transaction)
            try store.end(&session, at: now, in: transaction)
            try store.append(
                NewAuditEvent(.signOut, user: user?.username, userID: session.userID, session: id),
                by: client.actor(user?.username ?? "anonymous", session: id), at: now, in: transaction)
        }
    }

    /// Proves once more who is there, by password. A browser gets new secrets: what the old ones had been seen by is
    /// not raised with it.
    ///
    /// - Returns: the new cookies; nil for an API client.
    /// - Throws: as ``signIn(_:password:code:passkey:as:from:)`` does for a wrong password.
    public func reauthenticate(
        _ principal: Principal, password: SecretBytes, from client: Client
    ) async throws(AccountsError) -> SessionSecrets? {
        let now = now
        let store = store
        let unlock = try SecretText(store.random)
        let secrets = try NewSessionSecrets(store.random)
        try admitPassword(of: principal, as: .reauthenticated, from: client, at: now)
        let (attempt, gate, verdict) = try await check(
            password, of: principal, event: .reauthenticated, from: client, at: now)
        let outcome = try await store.writing { transaction -> Result<SessionSecrets?, AccountsError> in
            var (_, session) = try store.require(principal, at: now, in: transaction)
            let judged = try gate.judge(
                attempt, verdict, event: .reauthenticated, unlock: unlock, at: now, in: transaction)
            guard case .right(let user) = judged else { return .failure(judged.refusal) }
            session.authenticatedAt = now
            return .success(
                try store.reauthenticated(
                    user, by: "password", in: &session, secrets, from: client, at: now, in: transaction))
        }
        return try outcome.get()
    }

    /// Counts an attempt of a signed-in person who gives their password, before anything is done with it.
    ///
    /// - Throws: `refused` where there are no passwords, `rateLimited`.
    func admitPassword(
        of principal: Principal, as event: AuditEventType, from client: Client, at now: Timestamp
    ) throws(AccountsError) {
        try requirePasswords()
        try limiter.take(.signIn, client: client, as: event, by: principal.userID, configuration.limits, at: now)
    }

    /// The first half of whatever a signed-in person has to give their password for; admitted before.
    func check(
        _ password: SecretBytes, of principal: Principal, event: AuditEventType, from client: Client, at now: Timestamp
    ) async throws(AccountsError) -> (PasswordGate.Attempt, PasswordGate, PasswordVerdict) {
        let store = store
        let gate = PasswordGate(store: store, policy: configuration.lockout)
        let attempt = try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            return try gate.look(user.canonicalEmail, user, client, at: now, in: transaction)
        }
        try await refuseIfLocked(attempt, gate, event: event, at: now)
        return (attempt, gate, try await verify(password, against: attempt.hash, from: client))
    }
}

extension Store {
    /// Was used lately enough, as far as it was written.
    func isInUse(
        _ session: SessionRecord, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        guard let idle = session.idle else { return true }
        let last = try Tables.lastUses.get(session.id, in: transaction)?.at ?? session.createdAt
        return max(last, session.authenticatedAt ?? session.createdAt) + .milliseconds(idle) > now
    }

    /// Stores a session whose privilege has risen, with new secrets where it has any.
    func raise(
        _ session: inout SessionRecord, _ secrets: NewSessionSecrets, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> SessionSecrets? {
        guard session.kind == .browser else {
            try Tables.sessions.put(session, for: session.id, in: transaction)
            return nil
        }
        try install(secrets, for: &session, at: now, in: transaction)
        try Tables.sessions.put(session, for: session.id, in: transaction)
        return secrets.handedOut(for: session, at: now)
    }

    /// Stores a session in which its person has proved once more who they are, with the event.
    ///
    /// - Parameter method: for the audit log.
    /// - Returns: the new cookies; nil for an API client.
    func reauthenticated(
        _ user: UserRecord, by method: String, in session: inout SessionRecord, _ secrets: NewSessionSecrets,
        from client: Client, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SessionSecrets? {
        try append(
            NewAuditEvent(
                .reauthenticated, user: user.username, userID: user.id, session: session.id,
                metadata: ["method": .string(method)]),
            by: client.actor(user.username, session: session.id), at: now, in: transaction)
        return try raise(&session, secrets, at: now, in: transaction)
    }

    /// The audit event of sessions that ended together.
    ///
    /// - Parameter why: where nobody has asked for it.
    func noteEnded(
        _ sessions: [String], of user: UserRecord, why: String? = nil, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard !sessions.isEmpty else { return }
        var metadata: [String: AuditValue] = [
            "count": .integer(Int64(sessions.count)), "sessions": .strings(Array(sessions.prefix(50))),
        ]
        if let why { metadata["why"] = .string(why) }
        try append(
            NewAuditEvent(.sessionsRevoked, user: user.username, userID: user.id, metadata: metadata), by: actor,
            at: now, in: transaction)
    }

    /// Ends every session of a user (`user sign-out`). None of their devices is trusted any more.
    ///
    /// - Returns: the ids of those that ended.
    /// - Throws: `notFound`.
    public func signOutUser(_ selector: String, by actor: AuditActor) throws(AccountsError) -> [String] {
        let now = clock.now()
        return try write { transaction in
            let user = try self.require(user: selector, in: transaction)
            let ended = try self.endSessions(of: user, except: nil, at: now, in: transaction)
            try self.distrustDevices(of: user.id, in: transaction)
            try self.noteEnded(ended, of: user, by: actor, at: now, in: transaction)
            return ended
        }
    }
}
