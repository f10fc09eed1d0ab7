internal import Core
internal import LMDB

extension Store {
    /// Shows that the master keys are those of this store: they open the signing keys, and every other seal says that it
    /// was made under one of them.
    ///
    /// - Returns: what none of them opens and nobody waits for: signing keys that sign no more, tokens of providers and
    ///   links that end by themselves, set-ups that nobody has proved.
    /// - Throws: `wrongMasterKey` with the places, `damaged`.
    public func checkMasterKeys() throws(AccountsError) -> [String] {
        try check(try masterKeys())
    }

    func check(_ keys: MasterKeys) throws(AccountsError) -> [String] {
        try Self.checkMark(keys, environment)
        var warnings = try checkSigningKeys(keys)
        for field in SealedField.allCases where field != .signingKey {
            let found = try unopened(field, keys)
            guard found.needed.count == 0 else {
                throw AccountsError(
                    .wrongMasterKey,
                    "\(Self.otherKey). It sealed \(found.needed.text(field)). Authenticators whose key is lost are "
                        + "taken away by `gatehouse user reset-2fa`.")
            }
            if found.others.count > 0 {
                warnings.append("no master key that is configured opens \(found.others.text(field))")
            }
        }
        return warnings
    }

    private static let otherKey =
        "The store was sealed under another master key: configure that one as master_key or among "
        + "previous_master_keys"

    /// Those that sign, now or next, have to be there. An old one signs nothing more.
    private func checkSigningKeys(_ keys: MasterKeys) throws(AccountsError) -> [String] {
        let now = clock.now()
        return try read { transaction in
            var warnings: [String] = []
            for purpose in SigningPurpose.allCases {
                let schedule = SigningSchedule(try self.keys(purpose, in: transaction), now: now)
                for key in schedule.keys {
                    do {
                        _ = try key.open(with: keys)
                    } catch {
                        guard schedule.state(of: key) == .old else { throw error }
                        warnings.append("no master key that is configured opens the signing key \(key.kid)")
                    }
                }
            }
            return warnings
        }
    }

    /// Rows that none of the keys opens.
    private struct Unopened {
        var count = 0
        var examples: [String] = []

        mutating func add(_ key: String) {
            count += 1
            if examples.count < 5 { examples.append(key) }
        }

        func text(_ field: SealedField) -> String {
            let more = count > examples.count ? " and \(count - examples.count) more" : ""
            return "\(field.rawValue) of \(examples.joined(separator: ", "))\(more)"
        }
    }

    private func unopened(
        _ field: SealedField, _ keys: MasterKeys
    ) throws(AccountsError) -> (needed: Unopened, others: Unopened) {
        let activity = Array("\"activeSince\":".utf8)
        var needed = Unopened()
        var others = Unopened()
        var last: String?
        var isAtEnd = false
        while !isAtEnd {
            let begin = last
            var rows = 0
            try read { transaction in
                try field.rows.forEach(from: begin, in: transaction) { key, _, bytes in
                    rows += 1
                    last = key
                    guard key != begin else { return true }
                    switch field.sealID(of: bytes) {
                    case .none: break
                    case .key(let id) where keys.knows(id): break
                    // Damage is no reason to keep everybody else out; which key there was, it does not say.
                    case .unreadable: others.add(key)
                    case .key:
                        if field == .totpSecret, bytes.end(of: activity) != nil {
                            needed.add(key)
                        } else {
                            others.add(key)
                        }
                    }
                    return rows < 10 * Self.batchSize
                }
            }
            isAtEnd = rows < 10 * Self.batchSize
        }
        return (needed, others)
    }

    // MARK: The mark

    /// - Throws: `wrongMasterKey` when a rotation has begun to seal under another key than these.
    static func checkMark(_ keys: MasterKeys, _ environment: Environment) throws(AccountsError) {
        let mark: String?
        do {
            mark = try environment.read { try Tables.meta.get(MetaRecord.masterKeyInUse, in: $0)?.text }
        } catch {
            throw .wrapping(error)
        }
        guard let mark, !keys.knows(Hexadecimal.decode(mark) ?? []) else { return }
        throw AccountsError(.wrongMasterKey, "\(otherKey) (`gatehouse master-key rotate` has brought key \(mark)).")
    }

    /// Keeps out whoever does not have the current one of these.
    func markMasterKey(_ keys: MasterKeys) throws(AccountsError) {
        let now = clock.now()
        try write { transaction in try Self.mark(keys, at: now, in: transaction) }
    }

    static func mark(_ keys: MasterKeys, at now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        let present = try Tables.meta.get(MetaRecord.masterKeyInUse, in: transaction)
        guard present?.text != keys.currentID else { return }
        try Tables.meta.put(MetaRecord(at: now, text: keys.currentID), for: MetaRecord.masterKeyInUse, in: transaction)
    }
}
