internal import Core
internal import Cryptography
internal import LMDB

/// A piece of work for the writer that ends with a key.
typealias KeyJob = @Sendable (borrowing WriteTransaction) throws -> APIKey

extension Store {
    /// Makes a key for a user. Its text is in the result and nowhere else.
    ///
    /// - Throws: `notFound`, `invalid`, `refused` for a disabled user.
    public func createAPIKey(
        _ new: NewAPIKey, policy: KeyPolicy = KeyPolicy(), by actor: AuditActor
    ) throws(AccountsError) -> IssuedAPIKey {
        let (text, job) = try creation(of: new, policy: policy, by: actor)
        return IssuedAPIKey(key: try write(job), secret: text)
    }

    /// What ``createAPIKey(_:policy:by:)`` does in its transaction, and the key.
    func creation(
        of new: NewAPIKey, policy: KeyPolicy, by actor: AuditActor
    ) throws(AccountsError) -> (text: String, job: KeyJob) {
        let now = clock.now()
        let new = try new.validated(policy)
        let expiresAt = try new.expiry(policy, now: now)
        let (text, digest) = try newKeyText()
        let id = try random.id("key")
        let job: KeyJob = { transaction in
            let user = try self.require(user: new.user, in: transaction)
            let record = APIKeyRecord(
                id: id, userID: user.id, epoch: user.epoch, name: new.name, prefix: Self.shown(text),
                scopes: new.scopes, routes: new.routes, networks: new.networks.map { $0.map(\.description) },
                methods: new.methods, createdAt: now, expiresAt: expiresAt)
            try self.insert(record, digest: digest, of: user, in: transaction)
            try self.append(Self.event(.apiKeyCreated, record, user), by: actor, at: now, in: transaction)
            try self.tell(user, of: record, by: actor, at: now, in: transaction)
            return APIKey(record, username: user.username, lastUsedAt: nil)
        }
        return (text, job)
    }

    /// Makes a key like `id`, which itself ends when `overlap` is over (or earlier, if it was to).
    ///
    /// - Throws: `notFound`, `invalid`, `refused` when the key or its user is not valid any more, or when a key like it
    ///   could not be made now, since it is bound to no route.
    public func rotateAPIKey(
        _ id: String, overlap: Duration = .seconds(7 * 86_400), policy: KeyPolicy = KeyPolicy(), by actor: AuditActor
    ) throws(AccountsError) -> IssuedAPIKey {
        let (text, job) = try rotation(of: id, overlap: overlap, policy: policy, by: actor)
        return IssuedAPIKey(key: try write(job), secret: text)
    }

    /// What ``rotateAPIKey(_:overlap:policy:by:)`` does in its transaction, and the new key.
    func rotation(
        of id: String, overlap: Duration, policy: KeyPolicy, by actor: AuditActor
    ) throws(AccountsError) -> (text: String, job: KeyJob) {
        guard overlap >= .zero, overlap <= policy.maximumLifetime else {
            throw AccountsError(.invalid, "The overlap must not be negative or longer than api_keys.max_lifetime.")
        }
        let now = clock.now()
        let (text, digest) = try newKeyText()
        let newID = try random.id("key")
        let job: KeyJob = { transaction in
            var (old, oldDigest) = try self.require(key: id, in: transaction)
            guard old.revokedAt == nil, old.expiresAt > now, old.rotatedTo == nil,
                let user = try Tables.users.get(old.userID, in: transaction)
            else {
                throw AccountsError(
                    .refused, "Key \(id) is expired, revoked or rotated already: make a new one.")
            }
            guard !policy.requireRoutes || old.routes != nil else {
                throw AccountsError(
                    .refused, "api_keys.require_routes is set, and key \(id) is bound to no route: make a new one.")
            }
            let lifetime = min(old.expiresAt - old.createdAt, policy.maximumLifetime)
            var record = old
            record.id = newID
            record.epoch = user.epoch
            record.prefix = Self.shown(text)
            record.createdAt = now
            record.expiresAt = now + lifetime
            try self.insert(record, digest: digest, of: user, in: transaction)
            old.rotatedTo = newID
            old.expiresAt = min(old.expiresAt, now + overlap)
            try Tables.apiKeys.put(old, for: oldDigest, in: transaction)
            try self.scheduleSweep(.apiKey(id), at: old.freeAt, in: transaction)
            var event = Self.event(.apiKeyRotated, record, user)
            event.metadata["rotated_from"] = .string(id)
            event.metadata["overlap_ends_at"] = .string(old.expiresAt.rfc3339)
            try self.append(event, by: actor, at: now, in: transaction)
            try self.tell(user, of: record, by: actor, at: now, in: transaction)
            return APIKey(record, username: user.username, lastUsedAt: nil)
        }
        return (text, job)
    }

    /// Ends a key; the next request with it is refused. Revoking it again changes nothing.
    ///
    /// - Throws: `notFound`.
    public func revokeAPIKey(_ id: String, by actor: AuditActor) throws(AccountsError) -> APIKey {
        try write(revocation(of: id, by: actor))
    }

    /// What ``revokeAPIKey(_:by:)`` does in its transaction.
    func revocation(of id: String, by actor: AuditActor) -> KeyJob {
        let now = clock.now()
        return { transaction in
            var (record, digest) = try self.require(key: id, in: transaction)
            guard record.revokedAt == nil else { return try self.view(of: record, in: transaction) }
            record.revokedAt = now
            try Tables.apiKeys.put(record, for: digest, in: transaction)
            try self.scheduleSweep(.apiKey(id), at: record.freeAt, in: transaction)
            let user = try Tables.users.get(record.userID, in: transaction)
            try self.append(Self.event(.apiKeyRevoked, record, user), by: actor, at: now, in: transaction)
            return try self.view(of: record, in: transaction)
        }
    }

    /// Mails the owner of a secret that is new, where the owner is a person.
    private func tell(
        _ user: UserRecord, of key: APIKeyRecord, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard !user.service, let address = EmailAddress(user.email) else { return }
        let device = actor.userAgent.flatMap(DeviceName.recognized)
        let occasion = MailOccasion(at: now, address: actor.address, device: device)
        try enqueue(
            MailMessage(
                .apiKeyCreated(name: key.name, prefix: key.prefix, occasion), to: address, userID: user.id),
            at: now, in: transaction)
    }

    private func newKeyText() throws(AccountsError) -> (text: String, digest: SHA256Digest) {
        let bytes = APIKeyText.make(random: try random.base62(APIKeyText.randomCount))
        return (String(decoding: bytes, as: UTF8.self), SHA256.digest(bytes))
    }

    static func shown(_ text: String) -> String { String(text.prefix(APIKeyText.shownCount)) }

    func insert(
        _ record: APIKeyRecord, digest: SHA256Digest, of user: UserRecord, in transaction: borrowing WriteTransaction
    ) throws {
        guard !user.disabled else {
            throw AccountsError(
                .refused, "\(user.username) is disabled: `gatehouse user enable \(user.username)` comes first.")
        }
        // 256 random bits do not meet; a generator that repeats itself must not hand out somebody else's key.
        guard try Tables.apiKeys.insert(record, for: digest.bytes, in: transaction) else {
            throw AccountsError(.store, "The random generator gave the same key twice.")
        }
        try Tables.apiKeysByID.put(ReferenceRecord(digest.bytes), for: record.id, in: transaction)
        try Tables.apiKeysByUser.put(EmptyRecord(), for: KeyPair(user.id, record.id), in: transaction)
        try scheduleSweep(.apiKey(record.id), at: record.freeAt, in: transaction)
    }

    private static func event(
        _ type: AuditEventType, _ record: APIKeyRecord, _ user: UserRecord?
    ) -> NewAuditEvent {
        var metadata: [String: AuditValue] = [
            "key": .string(record.id), "key_prefix": .string(record.prefix), "name": .string(record.name),
            "expires_at": .string(record.expiresAt.rfc3339),
        ]
        if let scopes = record.scopes { metadata["scopes"] = .strings(scopes) }
        return NewAuditEvent(type, user: user?.username, userID: record.userID, metadata: metadata)
    }
}
