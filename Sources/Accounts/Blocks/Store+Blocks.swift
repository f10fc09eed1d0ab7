internal import Core
internal import LMDB

extension Store {
    /// Refuses an identity from the next request on.
    ///
    /// - Throws: `exists` when it is blocked already, `invalid` for an empty issuer or subject.
    public func addBlock(
        _ subject: BlockSubject, note: String = "", by actor: AuditActor
    ) throws(AccountsError) -> Block {
        let now = clock.now()
        let record = try Self.record(for: subject, note: note, by: actor, at: now)
        return try write { transaction in
            guard try Tables.blocks.insert(record, for: subject.key, in: transaction) else {
                throw AccountsError(.exists, "That is blocked already: `gatehouse block list` shows by whom.")
            }
            try self.append(Self.event(.blockAdded, record), by: actor, at: now, in: transaction)
            // What it has begun here already goes on for nobody.
            if case .subject = subject {
                try self.cutOff(identity: subject.key, provider: nil, by: actor, at: now, in: transaction)
            }
            return Block(record)
        }
    }

    /// All blocks, newest first.
    public func blocks() throws(AccountsError) -> [Block] {
        let records: [BlockRecord] = try read { transaction in
            var records: [BlockRecord] = []
            try Tables.blocks.forEach(in: transaction) { _, record, _ in
                records.append(record)
                return true
            }
            return records
        }
        return records.sorted { $0.createdAt > $1.createdAt }.map(Block.init)
    }

    /// Lifts a block.
    ///
    /// - Throws: `notFound`.
    public func removeBlock(_ subject: BlockSubject, by actor: AuditActor) throws(AccountsError) -> Block {
        let now = clock.now()
        return try write { transaction in
            guard let record = try Tables.blocks.get(subject.key, in: transaction) else {
                throw AccountsError(.notFound, "There is no such block: `gatehouse block list` shows them.")
            }
            try Tables.blocks.delete(subject.key, in: transaction)
            try self.append(Self.event(.blockRemoved, record), by: actor, at: now, in: transaction)
            return Block(record)
        }
    }

    /// Blocks the address of an account that is being disabled, unless it is blocked already.
    ///
    /// - Returns: the address.
    func block(
        emailOf user: UserRecord, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> String {
        let record = BlockRecord(
            email: user.canonicalEmail, note: "account \(user.username) is disabled", actor: actor.name, createdAt: now,
            disabledUser: user.id)
        _ = try Tables.blocks.insert(
            record, for: BlockSubject.emailText(user.canonicalEmail).key, in: transaction)
        return user.canonicalEmail
    }

    /// Lifts the block of an address whose account was disabled and is there no more: the operator makes another one.
    func liftBlockOfDeleted(
        _ email: EmailAddress, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let key = BlockSubject.email(email).key
        guard let block = try Tables.blocks.get(key, in: transaction), let owner = block.disabledUser,
            try Tables.users.revision(of: owner, in: transaction) == nil
        else { return }
        try Tables.blocks.delete(key, in: transaction)
        try append(Self.event(.blockRemoved, block), by: actor, at: now, in: transaction)
    }

    private static func record(
        for subject: BlockSubject, note: String, by actor: AuditActor, at now: Timestamp
    ) throws(AccountsError) -> BlockRecord {
        let note = try validatedLabel(note, what: "note", maximumBytes: 512)
        switch subject {
        case .email(let address):
            return BlockRecord(email: address.canonical, note: note, actor: actor.name, createdAt: now)
        case .subject(let issuer, let id):
            guard !issuer.isEmpty, !id.isEmpty else {
                throw AccountsError(.invalid, "A block needs both --issuer and --subject, or --email.")
            }
            return BlockRecord(issuer: issuer, subject: id, note: note, actor: actor.name, createdAt: now)
        }
    }

    private static func event(_ type: AuditEventType, _ record: BlockRecord) -> NewAuditEvent {
        var metadata: [String: AuditValue] = [:]
        if let email = record.email { metadata["email"] = .string(email) }
        if let issuer = record.issuer { metadata["issuer"] = .string(issuer) }
        if let subject = record.subject { metadata["subject"] = .string(subject) }
        if !record.note.isEmpty { metadata["note"] = .string(record.note) }
        return NewAuditEvent(type, metadata: metadata)
    }
}
