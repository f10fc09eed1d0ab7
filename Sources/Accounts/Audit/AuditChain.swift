internal import Core
internal import Cryptography
internal import LMDB

/// An event's bytes exactly as they are hashed.
struct StoredEvent: TableRecord {
    static var schema: UInt16 { Store.schemaVersion }

    var bytes: [UInt8]

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws {
        self.bytes = Array(bytes)
    }

    func encode(into bytes: inout [UInt8]) throws {
        bytes.append(contentsOf: self.bytes)
    }

    func event() throws -> AuditEvent { try JSON.decode(AuditEvent.self, from: bytes) }
    var hash: String { SHA256.digest(bytes).hex }
}

/// Where the chain ends, replaced with every append.
///
/// ```
///   event 1 ◄─hash── event 2 ◄─hash── … ◄─hash── event n ◄─hash, HMAC(audit key)── head
/// ```
struct AuditHead: JSONRecord, Equatable {
    /// Says who vouches for the event at `sequence` having `hash`.
    struct Seal: Codable, Equatable {
        var sequence: UInt64
        var hash: String
        var keyID: String
        var code: String

        static func make(sequence: UInt64, hash: String, purpose: String, with key: AuditKey) throws -> Seal {
            let code = try key.code(purpose, message(sequence: sequence, hash: hash))
            return Seal(sequence: sequence, hash: hash, keyID: key.id, code: code)
        }

        func isValid(_ purpose: String, with key: AuditKey) -> Bool {
            key.verify(code, purpose, Self.message(sequence: sequence, hash: hash))
        }

        private static func message(sequence: UInt64, hash: String) -> [UInt8] {
            Array("\(sequence) \(hash)".utf8)
        }
    }

    static let purpose = "gatehouse audit head"
    static let anchorPurpose = "gatehouse audit anchor"
    /// What the first event names as the hash before it.
    static let origin = String(repeating: "0", count: 64)

    /// The last event; 0 when there is none.
    var sequence: UInt64 = 0
    /// The last event's hash.
    var hash = AuditHead.origin
    /// The last seal; behind ``sequence`` when events were appended without the audit key.
    var seal: Seal?
    /// The newest event that was pruned away, and its hash.
    var anchor: Anchor?

    struct Anchor: Codable, Equatable {
        var sequence: UInt64
        var hash: String
        var seal: Seal?
    }
}

extension Store {
    /// Appends an event and replaces the head, in the transaction of the change that it tells of.
    @discardableResult
    func append(
        _ event: NewAuditEvent, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> UInt64 {
        try sealWhatIsNot(by: actor, at: now, in: transaction)
        let sequence = try appendOne(event, by: actor, at: now, in: transaction)
        signIns.note(event)
        return sequence
    }

    /// The event alone, without a look at what it is appended to.
    func appendOne(
        _ event: NewAuditEvent, by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> UInt64 {
        var head = try Tables.auditHead.get(Tables.headKey, in: transaction) ?? AuditHead()
        let (sequence, overflow) = head.sequence.addingReportingOverflow(1)
        guard !overflow else { throw AccountsError(.damaged, "The audit log's head is damaged.") }
        let full = AuditEvent(
            event, sequence: sequence, createdAt: now, actor: actor, previousHash: head.hash)
        let stored = StoredEvent(bytes: try JSON.encode(AuditEvent.Chained(event: full)))
        guard try Tables.audit.insert(stored, for: sequence, in: transaction) else {
            throw AccountsError(
                .damaged, "The audit log has an event \(sequence) behind its head: run `gatehouse audit verify`.")
        }
        if let owner = Self.auditOwner(of: full) {
            try Tables.auditByUser.put(EmptyRecord(), for: KeyPair(owner, sequence), in: transaction)
        }
        head.sequence = sequence
        head.hash = stored.hash
        if let key = auditKeys.sealing {
            head.seal = try .make(sequence: sequence, hash: head.hash, purpose: AuditHead.purpose, with: key)
        }
        try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
        return sequence
    }

    /// What `audit_by_user` finds an event by: the local id, else the name, shortened to what a key can hold.
    static func auditOwner(of event: AuditEvent) -> String? {
        guard let owner = event.userID ?? event.user else { return nil }
        return auditOwner(owner)
    }

    static func auditOwner(_ text: String) -> String {
        text.utf8.count <= 128 ? text : SHA256.digest(text).hex
    }

    /// Records something that changes nothing in the store.
    public func recordEvent(_ event: NewAuditEvent, by actor: AuditActor) throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            try self.append(event, by: actor, at: now, in: transaction)
            return ()
        }
    }
}
