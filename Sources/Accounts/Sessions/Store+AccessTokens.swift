internal import Core
internal import JOSE
internal import LMDB
internal import Synchronization

/// An access token that has just been made: the only time that its text is there.
public struct IssuedToken: Sendable {
    /// The token, to be shown once. Not part of any `Encodable` type.
    public let accessToken: String
    /// In seconds.
    public let expiresIn: Int64
    /// The session behind it, to be revoked by.
    public let session: String
}

/// An access token that was signed and is not kept yet.
struct SignedAccessToken: Sendable {
    let text: String
    let keyID: String
    /// What it says of its session.
    let proof: Proof?
    let expiresAt: Timestamp
    /// In seconds.
    let expiresIn: Int64
}

extension Store {
    /// The longest life that an operator can give a token.
    static let maximumTokenLifetime = Duration.seconds(86_400)

    /// Makes an access token for a script, with a session of its own behind it. It proves no factor, is good for app
    /// routes only and ends with its session.
    ///
    /// - Throws: `notFound`, `invalid` (the lifetime), `refused` (a disabled user, a service account), `noMasterKey`.
    public func issueAccessToken(
        user selector: String, lifetime: Duration, by actor: AuditActor
    ) throws(AccountsError) -> IssuedToken {
        guard lifetime >= .seconds(1), lifetime <= Self.maximumTokenLifetime else {
            throw AccountsError(.invalid, "An access token lives 1 second to 24 hours: give another --lifetime.")
        }
        let time = clock.now()
        // The token and its session count in whole seconds; the event stands where it happened.
        let now = Timestamp(seconds: time.seconds)
        let expiresAt = Timestamp(seconds: (now + lifetime).seconds)
        let id = try random.id("ses")
        let user = try read { transaction in
            let user = try self.require(user: selector, in: transaction)
            try Self.refuseUnusable(user)
            return user.id
        }
        let token = try signAccessToken(user, session: id, from: now, until: expiresAt)
        try write { transaction in
            let owner = try self.require(user: user, in: transaction)
            try Self.refuseUnusable(owner)
            let session = SessionRecord(
                id: id, kind: .token, userID: owner.id, epoch: owner.epoch, actor: actor.name, createdAt: now,
                expiresAt: expiresAt, amr: [], factors: 0)
            try self.insert(session, in: transaction)
            try self.keep(token, in: transaction)
            try self.append(
                NewAuditEvent(
                    .tokenIssued, user: owner.username, userID: owner.id, session: id,
                    metadata: ["expires_at": .string(expiresAt.rfc3339), "kid": .string(token.keyID)]),
                by: actor, at: time, in: transaction)
        }
        return IssuedToken(accessToken: token.text, expiresIn: token.expiresIn, session: id)
    }

    /// Signs an access token outside of any transaction; ``keep(_:in:)`` has to follow in the one that makes it good.
    func signAccessToken(
        _ userID: String, session: String, proof: Proof? = nil, authenticatedAt: Timestamp? = nil, from now: Timestamp,
        until expiresAt: Timestamp
    ) throws(AccountsError) -> SignedAccessToken {
        // NumericDate has whole seconds here; a token must not outlive what was asked for.
        let from = Timestamp(seconds: now.seconds)
        let until = Timestamp(seconds: expiresAt.seconds)
        return try read { transaction in
            let signer = try self.accessKeys.withLock { ring in
                try ring.refresh(self, in: transaction)
                return try ring.signer(self, at: self.clock.now())
            }
            let bytes = try signer.sign(
                self.accessTokenPayload(
                    userID, session: session, proof, authenticatedAt, now: from, expiresAt: until),
                type: OwnToken.type)
            return SignedAccessToken(
                text: String(decoding: bytes, as: UTF8.self), keyID: signer.keyID, proof: proof, expiresAt: until,
                expiresIn: until.seconds - from.seconds)
        }
    }

    /// Makes sure that the token's key stays for as long as somebody has to verify it.
    ///
    /// - Throws: `refused` when the key was retired since.
    func keep(_ token: SignedAccessToken, in transaction: borrowing WriteTransaction) throws {
        guard try Tables.keys.get(token.keyID, in: transaction) != nil else {
            throw AccountsError(.refused, "The signing key was retired just now: try again.")
        }
        try noteTokenEnd(token.expiresAt, of: token.keyID, in: transaction)
    }

    private static func refuseUnusable(_ user: UserRecord) throws {
        guard !user.disabled else {
            throw AccountsError(
                .refused, "\(user.username) is disabled: `gatehouse user enable \(user.username)` comes first.")
        }
        guard !user.service else {
            throw AccountsError(
                .refused, "\(user.username) is a service account, which has only API keys: `gatehouse api-key create`.")
        }
    }

    private func accessTokenPayload(
        _ subject: String, session: String, _ proof: Proof?, _ authenticatedAt: Timestamp?, now: Timestamp,
        expiresAt: Timestamp
    ) -> [UInt8] {
        var payload = JSONWriter()
        payload.member("iss", configuration.publicURL)
        payload.member("aud", configuration.publicURL)
        payload.member("sub", subject)
        payload.member("jti", session)
        payload.member("iat", now.seconds)
        payload.member("exp", expiresAt.seconds)
        if let proof {
            payload.member("amr", proof.amr)
            payload.member("acr", AuthenticationContext.of(factors: proof.factors))
        }
        if let authenticatedAt { payload.member("auth_time", authenticatedAt.seconds) }
        return payload.finish()
    }

    /// Remembers how long a key has to stay for those who verify.
    private func noteTokenEnd(
        _ end: Timestamp, of kid: String, in transaction: borrowing WriteTransaction
    ) throws {
        let key = MetaRecord.lastTokenEnd(of: kid)
        if let known = try Tables.meta.get(key, in: transaction)?.at, known >= end { return }
        try Tables.meta.put(MetaRecord(at: end), for: key, in: transaction)
    }
}
