internal import Core
internal import LMDB

extension Store {
    /// One key.
    ///
    /// - Throws: `notFound`.
    public func apiKey(_ id: String) throws(AccountsError) -> APIKey {
        try read { transaction in
            let (record, _) = try self.require(key: id, in: transaction)
            return try self.view(of: record, in: transaction)
        }
    }

    /// Keys, newest first.
    ///
    /// - Parameters:
    ///   - user: only this user's (id, user name or e-mail address).
    ///   - expiringWithin: only valid ones that end within that time.
    /// - Throws: `notFound` when there is no such user.
    public func apiKeys(user: String? = nil, expiringWithin: Duration? = nil) throws(AccountsError) -> [APIKey] {
        let now = clock.now()
        let keys: [APIKey] = try read { transaction in
            var records: [APIKeyRecord] = []
            if let user {
                let owner = try self.require(user: user, in: transaction)
                for id in try self.keyIDs(of: owner.id, in: transaction) {
                    if let record = try self.findKey(id, in: transaction)?.record { records.append(record) }
                }
            } else {
                try Tables.apiKeys.forEach(in: transaction) { _, record, _ in
                    records.append(record)
                    return true
                }
            }
            if let expiringWithin {
                records.removeAll {
                    $0.revokedAt != nil || $0.expiresAt <= now || $0.expiresAt > now + expiringWithin
                }
            }
            return try records.map { try self.view(of: $0, in: transaction) }
        }
        return keys.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    func findKey(
        _ id: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (record: APIKeyRecord, digest: [UInt8])? {
        guard !id.isEmpty, id.utf8.count <= 254,
            let digest = try Tables.apiKeysByID.get(id, in: transaction)?.key,
            let record = try Tables.apiKeys.get(digest, in: transaction)
        else { return nil }
        return (record, digest)
    }

    func require(
        key id: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (record: APIKeyRecord, digest: [UInt8]) {
        guard let found = try findKey(id, in: transaction) else {
            throw AccountsError(
                .notFound, "There is no API key \(quoted(id)): `gatehouse api-key list` shows the ids.")
        }
        return found
    }

    func view(
        of record: APIKeyRecord, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> APIKey {
        APIKey(
            record, username: try Tables.users.get(record.userID, in: transaction)?.username,
            lastUsedAt: try Tables.lastUses.get(record.id, in: transaction)?.at)
    }

    func keyIDs(
        of userID: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [String] {
        try Tables.apiKeysByUser.keys(prefix: KeyPair<String, String>.prefix(userID), in: transaction).map(\.second)
    }

    /// How many keys of a user are neither revoked nor expired.
    func goodKeys(
        of userID: String, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Int {
        var count = 0
        for id in try keyIDs(of: userID, in: transaction) {
            guard let key = try findKey(id, in: transaction)?.record, key.revokedAt == nil, key.expiresAt > now
            else { continue }
            count += 1
        }
        return count
    }
}
