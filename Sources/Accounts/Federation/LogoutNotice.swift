public import Core
internal import Cryptography
internal import LMDB

/// What a provider has said in a logout token, which was verified: whose sessions are over.
public struct LogoutNotice: Sendable, Equatable {
    /// The provider's id.
    public var provider: String
    public var issuer: String
    /// Nil: whoever has that session there.
    public var subject: String?
    /// Nil: all of the subject's.
    public var sessionID: String?
    /// What the provider calls the token, which is good once.
    public var tokenID: String
    /// From then on nobody takes the token any more.
    public var goodUntil: Timestamp

    /// All fields, named as they are.
    public init(
        provider: String, issuer: String, subject: String?, sessionID: String?, tokenID: String, goodUntil: Timestamp
    ) {
        self.provider = provider
        self.issuer = issuer
        self.subject = subject
        self.sessionID = sessionID
        self.tokenID = tokenID
        self.goodUntil = goodUntil
    }

    /// The row in table `logout_tokens`: a digest, since both may be longer than a key.
    var key: [UInt8] { SHA256.digest("\(issuer.utf8.count) \(issuer) \(tokenID)").bytes }
}

/// A logout token that was carried out. Its row goes when the token is too old to be taken anyway.
struct UsedLogoutToken: JSONRecord, Equatable {
    var goodUntil: Timestamp
    /// When all that was proved of an identity up to then became worth nothing; nil in the other rows.
    var endedAt: Timestamp?
}

extension Store {
    /// So many used tokens are remembered. Only a provider's own signature makes one, and only for some minutes.
    static let maximumLogoutTokens = 131_072

    /// Remembers a token.
    ///
    /// - Returns: false when it was used before.
    func isFirst(_ logout: LogoutNotice, in transaction: borrowing WriteTransaction) throws -> Bool {
        if try Tables.logoutTokens.get(logout.key, in: transaction) != nil { return false }
        // A provider that has so many sessions end must not be kept from ending more: what could come of a token that is
        // not remembered is that somebody has to sign in once more.
        guard try Tables.logoutTokens.count(in: transaction) < Self.maximumLogoutTokens else { return true }
        try Tables.logoutTokens.put(UsedLogoutToken(goodUntil: logout.goodUntil), for: logout.key, in: transaction)
        try scheduleSweep(.logoutToken(Hexadecimal.encode(logout.key)), at: logout.goodUntil, in: transaction)
        return true
    }

    /// How long somebody may be on their way with what a provider has said of them: as long as a code for an API client,
    /// or the first half of a sign-in, is good.
    static let longestWay = Duration.seconds(1200)

    /// The row of a session at a provider that is over, also among `logout_tokens`.
    private func row(ofEnded place: String) -> [UInt8] { Array("session \(place)".utf8) }

    /// The provider has said that this session there is over: whatever it has proved in it is worth nothing.
    ///
    /// - Parameter place: as ``FederatedSession/place``; nil: one without a name, of which nothing is said so.
    func hasEnded(
        _ place: String?, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        guard let place else { return false }
        return try Tables.logoutTokens.get(row(ofEnded: place), in: transaction).map { $0.goodUntil > now } ?? false
    }

    /// The row of an identity whose proofs are worth nothing, also among `logout_tokens`: it may have no link yet.
    private func row(ofEnded identity: BlockSubject) -> [UInt8] { Array("subject ".utf8) + identity.key }

    /// The provider has ended what it had proved of an identity before it brought this, linked or not.
    func hasEnded(
        _ identity: FederatedIdentity, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        let row = row(ofEnded: .subject(issuer: identity.issuer, subject: identity.subject))
        guard let ended = try Tables.logoutTokens.get(row, in: transaction), ended.goodUntil > now else { return false }
        return identity.isEnded(by: ended.endedAt, at: now)
    }

    private func noteEnd(
        of identity: BlockSubject, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let end = now + Self.longestWay
        let row = row(ofEnded: identity)
        try Tables.logoutTokens.put(UsedLogoutToken(goodUntil: end, endedAt: now), for: row, in: transaction)
        try scheduleSweep(.logoutToken(Hexadecimal.encode(row)), at: end, in: transaction)
    }

    private func noteEnd(
        of place: String, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let end = now + Self.longestWay
        let row = row(ofEnded: place)
        try Tables.logoutTokens.put(UsedLogoutToken(goodUntil: end), for: row, in: transaction)
        try scheduleSweep(.logoutToken(Hexadecimal.encode(row)), at: end, in: transaction)
    }

    /// - Returns: how many sessions ended.
    func end(
        _ logout: LogoutNotice, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Int {
        let place = logout.sessionID.map { FederatedSession.place(issuer: logout.issuer, sessionID: $0) }
        if let place { try noteEnd(of: place, at: now, in: transaction) }
        if let subject = logout.subject {
            let identity = BlockSubject.subject(issuer: logout.issuer, subject: subject)
            try noteEnd(of: identity, at: now, in: transaction)
            guard let link = try end(provedBy: identity.key, at: now, in: transaction),
                let user = try Tables.users.get(link.userID, in: transaction)
            else { return 0 }
            // A session that began without a name there may be the one that is meant.
            let ended = try endSessions(
                of: user,
                by: {
                    $0.link == link.id
                        && (logout.sessionID == nil || $0.sessionID == nil || $0.sessionID == logout.sessionID)
                }, at: now, in: transaction)
            try noteEnded(ended, of: user, by: actor, at: now, in: transaction)
            return ended.count
        }
        guard let place else { return 0 }
        var count = 0
        for key in try Tables.sessionsByProvider.keys(
            prefix: KeyPair<String, String>.prefix(place), in: transaction)
        {
            guard var session = try Tables.sessions.get(key.second, in: transaction), session.revokedAt == nil,
                let user = try Tables.users.get(session.userID, in: transaction)
            else { continue }
            try end(&session, at: now, in: transaction)
            try noteEnded([session.id], of: user, by: actor, at: now, in: transaction)
            count += 1
        }
        return count
    }

    /// Writes down that what a provider has proved of an identity up to now is worth nothing.
    ///
    /// - Returns: its link; nil: there is none.
    func end(
        provedBy key: [UInt8], at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SocialAccountRecord? {
        guard var link = try Tables.socialAccounts.get(key, in: transaction) else { return nil }
        link.endedAt = now
        try Tables.socialAccounts.put(link, for: key, in: transaction)
        return link
    }
}
