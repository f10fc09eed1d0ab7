internal import LMDB

/// Walks the chain from its beginning (or the last pruning) to its head.
struct AuditVerifier {
    let keys: AuditKeys
    let checkpoint: AuditCheckpoint?
    private(set) var result = AuditVerification()
    /// What the event before hashed to.
    private var previousHash = AuditHead.origin
    private var next: UInt64 = 1
    private var hasBegun = false
    /// A server has written to this store: it has signing keys, so its log was sealed.
    private var wasServed = false

    init(keys: AuditKeys, checkpoint: AuditCheckpoint?) {
        self.keys = keys
        self.checkpoint = checkpoint
    }

    /// Reads the next piece.
    ///
    /// - Returns: whether there is more.
    mutating func step(limit: Int, in transaction: borrowing ReadTransaction) throws -> Bool {
        let head = try Tables.auditHead.get(Tables.headKey, in: transaction)
        wasServed = try Tables.keys.count(in: transaction) > 0
        begin(head)
        guard result.problem == nil else { return false }
        let last = head?.sequence ?? 0
        var events: [(UInt64, StoredEvent)] = []
        try Tables.audit.forEach(from: next, in: transaction) { sequence, stored, _ in
            events.append((sequence, stored))
            return events.count <= limit
        }
        for index in events.indices.prefix(limit) {
            let following = index + 1 < events.count ? events[index + 1] : nil
            check(events[index].0, events[index].1, following: following?.1, head: head)
            guard result.problem == nil else { return false }
        }
        if events.count > limit { return true }
        end(head, last: last)
        if head == nil, next == 1, try wasServed || Tables.users.count(in: transaction) > 0 {
            fail(1, .cut, "the log is empty, and every account and every key in the store had an event")
        }
        return false
    }

    private mutating func fail(_ sequence: UInt64, _ kind: AuditProblem.Kind, _ message: String) {
        if result.problem == nil { result.problem = AuditProblem(sequence: sequence, kind: kind, message: message) }
    }

    /// Takes the beginning, and takes it again when the log was pruned past our place meanwhile.
    private mutating func begin(_ head: AuditHead?) {
        result.last = head?.sequence ?? 0
        let anchor = head?.anchor
        if let anchor, anchor.sequence >= next {
            if let seal = anchor.seal, let key = keys.key(seal.keyID) {
                guard seal.sequence == anchor.sequence, seal.hash == anchor.hash,
                    seal.isValid(AuditHead.anchorPurpose, with: key)
                else { return fail(anchor.sequence, .head, "what the log says of its pruning was changed") }
            } else if keys.sealing != nil {
                return fail(anchor.sequence, .head, "the pruning of the log is not sealed with a key that is known")
            }
            checkPruning(anchor)
            next = anchor.sequence &+ 1
            previousHash = anchor.hash
        }
        if !hasBegun { result.first = result.last >= next ? next : 0 }
        hasBegun = true
        // The log may have grown since the last piece: the head that counts is the one that the last piece is met with.
        result.isSealed = false
        guard let seal = head?.seal else { return }
        guard let key = keys.key(seal.keyID) else {
            if keys.sealing != nil {
                fail(seal.sequence, .head, "the head is sealed with a key that is not known here")
            }
            return
        }
        guard seal.isValid(AuditHead.purpose, with: key) else {
            return fail(seal.sequence, .head, "the seal of the log's head is not genuine")
        }
        result.isSealed = true
    }

    /// Whoever has all keys can say of any log that its beginning was pruned: what a checkpoint tells of has to be there.
    private mutating func checkPruning(_ anchor: AuditHead.Anchor) {
        guard let checkpoint, (next...anchor.sequence).contains(checkpoint.sequence) else { return }
        if checkpoint.sequence < anchor.sequence {
            fail(
                checkpoint.sequence, .missing,
                "event \(checkpoint.sequence), of which the checkpoint tells, was pruned (up to event "
                    + "\(anchor.sequence)): nothing shows that the log is still that one")
        } else if checkpoint.hash != anchor.hash {
            fail(
                checkpoint.sequence, .changed,
                "event \(checkpoint.sequence) or one before it is not that of the checkpoint")
        }
    }

    private mutating func check(_ sequence: UInt64, _ stored: StoredEvent, following: StoredEvent?, head: AuditHead?) {
        guard sequence == next else {
            return fail(next, .missing, "event \(next) is missing, the next one there is \(sequence)")
        }
        guard let event = try? stored.event() else {
            return fail(sequence, .changed, "event \(sequence) is unreadable")
        }
        guard event.sequence == sequence else {
            return fail(sequence, .reordered, "in the place of event \(sequence) stands event \(event.sequence)")
        }
        guard event.type != AuditEventType.auditResealed.rawValue || event.success else {
            return fail(
                sequence, .head,
                "event \(sequence) says that the log before it was changed, and by whom nobody knows: the end that it "
                    + "was found with was not the one that was sealed (\(event.reason ?? "?"))")
        }
        if sequence > head?.seal?.sequence ?? 0, Store.sealedTypes.contains(event.type) {
            return fail(
                sequence, .head,
                "event \(sequence) is one that is written under the audit key alone (\(event.type)), and no seal "
                    + "covers it")
        }
        let hash = stored.hash
        if event.previousHash != previousHash {
            // Whoever the following event vouches for is genuine.
            let vouched =
                (try? following?.event())?.previousHash == hash || (sequence == head?.sequence && head?.hash == hash)
            let bad = vouched && sequence > 1 ? sequence - 1 : sequence
            return fail(bad, .changed, "event \(bad) was changed: the hash that event \(sequence) names is another one")
        }
        if result.isSealed, let seal = head?.seal, seal.sequence == sequence, seal.hash != hash {
            return fail(sequence, .changed, "event \(sequence) was changed: the seal names another hash")
        }
        if let checkpoint, checkpoint.sequence == sequence, checkpoint.hash != hash {
            return fail(sequence, .changed, "event \(sequence) or one before it is not that of the checkpoint")
        }
        if let head, sequence > head.sequence {
            return fail(sequence, .added, "event \(sequence) stands behind the head, which names \(head.sequence)")
        }
        result.checked += 1
        previousHash = hash
        next = sequence &+ 1
    }

    private mutating func end(_ head: AuditHead?, last: UInt64) {
        let reached = next &- 1
        guard let head else {
            if reached > 0 { fail(reached, .head, "the log's head is missing") }
            if let checkpoint, checkpoint.sequence > reached { cut(checkpoint.sequence, reached) }
            return
        }
        if let seal = head.seal, seal.sequence > reached { return cut(seal.sequence, reached) }
        if last > reached { return cut(last, reached) }
        if head.hash != previousHash {
            return fail(last, .changed, "event \(last) was changed: the head names another hash")
        }
        if let checkpoint, checkpoint.sequence > reached { return cut(checkpoint.sequence, reached) }
        if let seal = head.seal {
            result.unsealed = last &- min(seal.sequence, last)
        } else {
            result.unsealed = last
            if wasServed { fail(last, .head, "the seal of the log's head was taken away") }
        }
    }

    private mutating func cut(_ expected: UInt64, _ reached: UInt64) {
        fail(reached &+ 1, .cut, "the log ends with event \(reached), but there were events up to \(expected)")
    }
}
