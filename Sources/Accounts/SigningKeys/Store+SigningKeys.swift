internal import Core
internal import LMDB

extension Store {
    /// Makes the first keys, publishes the next ones 24 hours before the current ones' 30 days are over, and drops
    /// those whose last token has ended. To be called at the start and then every hour.
    ///
    /// - Returns: whether anything changed.
    /// - Throws: `noMasterKey`.
    @discardableResult
    public func maintainSigningKeys(by actor: AuditActor = .system) throws(AccountsError) -> Bool {
        let now = clock.now()
        let fresh = try newKeys(SigningPurpose.allCases, now: now)
        return try write { transaction in
            var changed = false
            for made in fresh {
                let schedule = SigningSchedule(try self.keys(made.purpose, in: transaction), now: now)
                let ends = try self.lastTokenEnds(of: schedule.keys, in: transaction)
                let plan = schedule.plan { ends[$0] }
                if let activeFrom = plan.createActiveFrom {
                    try self.insert(made.active(from: activeFrom), by: actor, at: now, in: transaction)
                    changed = true
                }
                for key in schedule.keys where plan.drop.contains(key.kid) {
                    try self.remove(key, .signingKeyDropped, by: actor, at: now, in: transaction)
                    changed = true
                }
            }
            return changed
        }
    }

    /// All keys, by purpose and time.
    public func signingKeys() throws(AccountsError) -> [SigningKey] {
        let now = clock.now()
        return try read { transaction in try self.signingKeys(now: now, in: transaction) }
    }

    /// Publishes the next keys ahead of their time; they take over after 24 hours, so that every app has fetched them.
    ///
    /// - Parameter purpose: nil: both.
    /// - Returns: the keys that were made.
    /// - Throws: `refused` when a next key is there already, `noMasterKey`.
    public func rotateSigningKeys(
        purpose: SigningPurpose? = nil, by actor: AuditActor
    ) throws(AccountsError) -> [SigningKey] {
        let now = clock.now()
        let fresh = try newKeys(purpose.map { [$0] } ?? SigningPurpose.allCases, now: now)
        return try write { transaction in
            var made: [SigningKey] = []
            for key in fresh {
                let schedule = SigningSchedule(try self.keys(key.purpose, in: transaction), now: now)
                if let next = schedule.next {
                    throw AccountsError(
                        .refused,
                        "Key \(next.kid) takes over at \(next.activeFrom.rfc3339) already; to end a key at once use "
                            + "`gatehouse key retire`.")
                }
                let activeFrom = schedule.current == nil ? now : now + SigningSchedule.announcement
                let record = key.active(from: activeFrom)
                try self.insert(record, by: actor, at: now, in: transaction)
                made.append(SigningKey(record, state: activeFrom > now ? .next : .current))
            }
            return made
        }
    }

    /// Ends a key at once, for when it may have leaked: whatever it signed is refused from the next request on. When
    /// it was the signing one another takes over without notice, and apps have to fetch it.
    ///
    /// - Returns: the key as it was.
    /// - Throws: `notFound`, `noMasterKey`.
    public func retireSigningKey(_ kid: String, by actor: AuditActor) throws(AccountsError) -> SigningKey {
        let now = clock.now()
        let fresh = try newKeys(SigningPurpose.allCases, now: now)
        return try write { transaction in
            guard !kid.isEmpty, kid.utf8.count <= 254, let record = try Tables.keys.get(kid, in: transaction) else {
                throw AccountsError(
                    .notFound, "There is no signing key \(quoted(kid)): `gatehouse key list` shows them.")
            }
            let schedule = SigningSchedule(try self.keys(record.purpose, in: transaction), now: now)
            let view = SigningKey(record, state: schedule.state(of: record))
            try self.remove(record, .signingKeyRetired, by: actor, at: now, in: transaction)
            if view.state == .current {
                // An older key must not sign again; a next one takes over now.
                if var next = schedule.next {
                    next.activeFrom = now
                    try Tables.keys.put(next, for: next.kid, in: transaction)
                } else if let made = fresh.first(where: { $0.purpose == record.purpose }) {
                    try self.insert(made, by: actor, at: now, in: transaction)
                }
            }
            return view
        }
    }

    func keys(
        _ purpose: SigningPurpose, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [SigningKeyRecord] {
        var records: [SigningKeyRecord] = []
        try Tables.keys.forEach(in: transaction) { _, record, _ in
            if record.purpose == purpose { records.append(record) }
            return true
        }
        return records
    }

    private func signingKeys(
        now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [SigningKey] {
        try SigningPurpose.allCases.flatMap { purpose in
            let schedule = SigningSchedule(try keys(purpose, in: transaction), now: now)
            return schedule.keys.map { SigningKey($0, state: schedule.state(of: $0)) }
        }
    }

    /// A key for each purpose, made before the transaction that may need it: a transaction is free of chance.
    private func newKeys(_ purposes: [SigningPurpose], now: Timestamp) throws(AccountsError) -> [SigningKeyRecord] {
        let masterKeys = try masterKeys()
        do {
            return try purposes.map { purpose in
                let kid = String(decoding: try random.base62(12), as: UTF8.self)
                return try .make(purpose, kid: kid, now: now, masterKeys: masterKeys)
            }
        } catch {
            throw .wrapping(error)
        }
    }

    private func insert(
        _ record: SigningKeyRecord, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        var record = record
        record.sealedKey = try underCurrentKey(record.sealedKey, in: .signingKey, key: record.kid)
        guard try Tables.keys.insert(record, for: record.kid, in: transaction) else {
            throw AccountsError(.store, "The random generator gave the same key id twice.")
        }
        try note(.signingKeyCreated, record, by: actor, at: now, in: transaction)
    }

    private func remove(
        _ record: SigningKeyRecord, _ type: AuditEventType, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        try Tables.keys.delete(record.kid, in: transaction)
        try Tables.meta.delete(MetaRecord.lastTokenEnd(of: record.kid), in: transaction)
        try note(type, record, by: actor, at: now, in: transaction)
    }

    private func note(
        _ type: AuditEventType, _ record: SigningKeyRecord, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.signingKeys, in: transaction)
        try append(
            NewAuditEvent(
                type,
                metadata: [
                    "kid": .string(record.kid), "purpose": .string(record.purpose.rawValue),
                    "active_from": .string(record.activeFrom.rfc3339),
                ]),
            by: actor, at: now, in: transaction)
    }

    private func lastTokenEnds(
        of keys: [SigningKeyRecord], in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [String: Timestamp] {
        var ends: [String: Timestamp] = [:]
        for key in keys {
            ends[key.kid] = try Tables.meta.get(MetaRecord.lastTokenEnd(of: key.kid), in: transaction)?.at
        }
        return ends
    }
}
