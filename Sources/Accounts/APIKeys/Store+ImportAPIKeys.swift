internal import Core
internal import Cryptography
internal import LMDB

extension Store {
    /// Takes over keys that were made elsewhere in our form, all with the same owner, name and lifetime and bound to
    /// nothing. A thousand are one transaction with one event; a key that is there already stays as it is.
    ///
    /// - Parameter secrets: whole keys; every one is checked before the first is stored.
    /// - Returns: how many were new.
    /// - Throws: `invalid` for a text that is no key, `notFound`, `refused` for a disabled user.
    public func importAPIKeys(
        _ secrets: [String], user selector: String, name: String, lifetime: Duration? = nil,
        policy: KeyPolicy = KeyPolicy(), by actor: AuditActor
    ) throws(AccountsError) -> Int {
        let now = clock.now()
        let new = try NewAPIKey(user: selector, name: name, lifetime: lifetime).validated(policy)
        let expiresAt = try new.expiry(policy, now: now)
        for (index, secret) in secrets.enumerated() where !APIKeyText.isWellFormed(Array(secret.utf8).span) {
            throw AccountsError(.invalid, "Line \(index + 1) is no API key: its form or its checksum is wrong.")
        }
        var imported = 0
        for begin in stride(from: 0, to: secrets.count, by: Self.batchSize) {
            var rows: [(id: String, prefix: String, digest: SHA256Digest)] = []
            for secret in secrets[begin..<min(begin + Self.batchSize, secrets.count)] {
                rows.append((try random.id("key"), Self.shown(secret), SHA256.digest(secret)))
            }
            let batch = rows
            imported += try write { transaction in
                let user = try self.require(user: selector, in: transaction)
                var count = 0
                for row in batch {
                    // Checked here and not by `insert`, for which a second key is a failure.
                    guard try Tables.apiKeys.revision(of: row.digest.bytes, in: transaction) == nil else { continue }
                    let record = APIKeyRecord(
                        id: row.id, userID: user.id, epoch: user.epoch, name: new.name, prefix: row.prefix,
                        createdAt: now, expiresAt: expiresAt)
                    try self.insert(record, digest: row.digest, of: user, in: transaction)
                    count += 1
                }
                try self.append(
                    NewAuditEvent(
                        .apiKeysImported, user: user.username, userID: user.id,
                        metadata: ["count": .integer(Int64(count)), "name": .string(new.name)]),
                    by: actor, at: now, in: transaction)
                return count
            }
        }
        return imported
    }
}
