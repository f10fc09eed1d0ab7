internal import Core
internal import LMDB

/// What is kept of the client that a session begins with.
struct KeptClient: Sendable {
    var address: String?
    var userAgent: String?
    var deviceName: String?

    /// - Throws: `invalid`.
    init(_ client: Client) throws(AccountsError) {
        address = client.address?.description
        userAgent = client.keptUserAgent
        deviceName = try client.keptDeviceName()
    }
}

/// How a person has proved who they are.
struct Proof: Sendable, Equatable {
    /// RFC 8176.
    var amr: [String]
    var factors: Int

    static let password = Proof(amr: ["pwd"], factors: 1)
    /// The mailbox; RFC 8176 has no word for it, so this is the one that others use.
    static let mailbox = Proof(amr: ["email"], factors: 1)
}

extension SessionRecord {
    /// A browser's session that begins now.
    static func browser(
        _ id: String, of user: UserRecord, by proof: Proof, from client: KeptClient, remembered: Bool,
        _ policy: SessionPolicy, at now: Timestamp
    ) -> SessionRecord {
        var record = SessionRecord(
            id: id, kind: .browser, userID: user.id, epoch: user.epoch, actor: user.username, createdAt: now,
            expiresAt: now + (remembered ? policy.remember : policy.lifetime), amr: proof.amr, factors: proof.factors,
            authenticatedAt: now)
        record.idle = remembered ? nil : policy.idle.wholeMilliseconds
        record.remembered = remembered
        record.note(client)
        return record
    }

    /// An API client's session that begins now; each refresh moves its end on.
    static func api(
        _ id: String, of user: UserRecord, by proof: Proof, from client: KeptClient, _ policy: TokenPolicy,
        at now: Timestamp
    ) -> SessionRecord {
        var record = SessionRecord(
            id: id, kind: .api, userID: user.id, epoch: user.epoch, actor: user.username, createdAt: now,
            expiresAt: now + policy.refreshLifetime, amr: proof.amr, factors: proof.factors, authenticatedAt: now)
        record.note(client)
        return record
    }

    /// A code or a passkey was proved just now, and with it who is there.
    mutating func prove(_ proof: Proof, at now: Timestamp) {
        (amr, factors, authenticatedAt) = (proof.amr, proof.factors, now)
        if proof.hasFactor { secondFactorAt = now }
    }

    private mutating func note(_ client: KeptClient) {
        address = client.address
        userAgent = client.userAgent
        deviceName = client.deviceName
    }

    /// Neither over nor ended, and not made stale with everything else of its user. Idleness is not looked at.
    func isAlive(for user: UserRecord, at now: Timestamp) -> Bool {
        revokedAt == nil && expiresAt > now && epoch == user.epoch && userID == user.id
    }
}

extension Store {
    /// Ends sessions of a user, their tokens with them.
    ///
    /// - Parameter kept: the one that goes on.
    /// - Returns: the ids of those that were alive.
    func endSessions(
        of user: UserRecord, except kept: String?, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        var ended: [String] = []
        for id in try sessionIDs(of: user.id, in: transaction) where id != kept {
            guard var session = try Tables.sessions.get(id, in: transaction), session.revokedAt == nil else { continue }
            if session.isAlive(for: user, at: now) { ended.append(id) }
            try end(&session, at: now, in: transaction)
        }
        // Also those of sessions that were over before.
        try endEmailChange(of: user.id, kept.map { .except(session: $0) } ?? .all, in: transaction)
        return ended
    }

    /// Ends one session, and what it has asked for; its record stays for a while, so that a refusal can say why.
    func end(_ session: inout SessionRecord, at now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        session.revokedAt = now
        try Tables.providerTokens.delete(session.id, in: transaction)
        try endEmailChange(of: session.userID, .of(session: session.id), in: transaction)
        try Tables.sessions.put(session, for: session.id, in: transaction)
        try scheduleSweep(.session(session.id), at: session.freeAt, in: transaction)
    }
}
