internal import Core
internal import LMDB

/// Everything in the store that is sealed under the master key, each with the place that its seal is bound to. Nothing is
/// sealed or opened that is not listed here, so that `gatehouse master-key rotate` forgets none: whoever adds a case is
/// made to say how its rows are sealed anew.
enum SealedField: String, Sendable, CaseIterable {
    /// The private half of a signing key. The first, so that a rotation which is cut short has done these: a server that
    /// has only the old key does not start then.
    case signingKey = "keys/private_key"
    /// The secret of an authenticator.
    case totpSecret = "totp/secret"
    /// The access and refresh token of a session's provider.
    case providerTokens = "provider_tokens/tokens"
    /// The link in a mail that waits.
    case mailLink = "outbox/link"

    /// Table and field as they stand in the seal: never to be changed, or nothing opens any more.
    var place: (table: String, field: String) {
        let parts = rawValue.split(separator: "/").map(String.init)
        return (parts[0], parts[1])
    }

    /// Seals the next rows anew that are sealed under another key than the current one.
    func reseal(
        _ batch: inout ResealBatch, _ keys: MasterKeys, in transaction: borrowing WriteTransaction
    ) throws {
        switch self {
        case .totpSecret:
            try batch.run(
                Tables.totp, self, keys, { Base64.decode($0.sealed) ?? [] }, { $0.sealed = Base64.encode($1) },
                in: transaction)
        case .signingKey:
            try batch.run(
                Tables.keys, self, keys, { Base64.decode($0.sealedKey) ?? [] },
                { $0.sealedKey = Base64.encode($1) }, in: transaction)
        case .providerTokens:
            try batch.run(
                Tables.providerTokens, self, keys, { Base64.decode($0.sealed) ?? [] },
                { $0.sealed = Base64.encode($1) }, in: transaction)
        case .mailLink:
            try batch.run(Tables.outbox, self, keys, { $0.sealedLink }, { $0.sealedLink = $1 }, in: transaction)
        }
    }
}

/// One transaction's share of a table whose rows are sealed anew.
struct ResealBatch: Sendable {
    /// The last row that was looked at; nil: begin.
    private(set) var last: String?
    /// The table has no more rows behind ``last``.
    private(set) var isAtEnd = false
    /// Rows that were under another key and are under the current one now.
    private(set) var resealed = 0
    /// Rows that none of the keys opens.
    private(set) var unreadable: [String] = []

    /// - Parameters:
    ///   - sealed: what stands in a row; nil: nothing that is sealed; empty: what cannot be read, which no key opens.
    ///   - replace: puts another seal in its place.
    fileprivate mutating func run<Record>(
        _ table: Table<String, Record>, _ field: SealedField, _ keys: MasterKeys, _ sealed: (Record) -> [UInt8]?,
        _ replace: (inout Record, [UInt8]) -> Void, in transaction: borrowing WriteTransaction
    ) throws {
        var rows: [(key: String, record: Record)] = []
        let begin = last
        try table.forEach(from: begin, in: transaction) { key, record, _ in
            if key != begin { rows.append((key, record)) }
            return rows.count < Store.batchSize
        }
        isAtEnd = rows.count < Store.batchSize
        for row in rows {
            last = row.key
            guard let old = sealed(row.record), !keys.isCurrent(old) else { continue }
            let plain: [UInt8]
            do throws(AccountsError) {
                plain = try keys.open(old, in: field, key: row.key).withUnsafeBytes { Array($0) }
            } catch {
                unreadable.append(row.key)
                continue
            }
            var record = row.record
            replace(&record, try keys.seal(plain, in: field, key: row.key))
            try table.put(record, for: row.key, in: transaction)
            resealed += 1
        }
    }
}
