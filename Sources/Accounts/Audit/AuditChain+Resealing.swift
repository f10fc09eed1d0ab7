internal import Core
internal import LMDB

/// A new seal must not cover in silence what the old one did not vouch for. Commands that have no audit key append behind
/// the seal, and that is fine; whatever else is found there was made by somebody who has changed the log. It is said in
/// the log first, once and for good: ``AuditVerifier`` takes an `audit_resealed` without success for what it is.
extension Store {
    /// Why the head's seal does not cover the log's end.
    enum Unsealed: String {
        /// By a command, before the server has made the key; the only reason that is none to worry about.
        case byCommands = "appended_without_key"
        case unknownKey = "seal_of_unknown_key"
        /// The seal is for another log than this one.
        case notGenuine = "seal_not_genuine"
        /// The server has sealed this log, and the seal is gone.
        case missing = "seal_missing"
        /// Events that only who has the key writes, behind the seal.
        case forged = "server_events_unsealed"
        /// There were accounts or keys before the first event.
        case lost = "log_missing"

        fileprivate var isAlarm: Bool { self != .byCommands }
    }

    /// Event types that are written by the server alone, or by commands that have the master key, and thus the audit key.
    static let sealedTypes: Set<String> = Set(
        [
            AuditEventType.serverStarted, .serverStopped, .auditGap, .auditPruned, .auditResealed, .configReloaded,
            .configRefused, .signIn, .access, .tokenIssued, .signingKeyCreated, .signingKeyDropped, .masterKeyRotated,
            .storeRestored,
        ].map(\.rawValue))

    /// Notes what the next seal would cover.
    func sealWhatIsNot(
        by actor: AuditActor, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        guard let head = try Tables.auditHead.get(Tables.headKey, in: transaction), head.sequence > 0 else {
            guard try holdsWhatWasLogged(in: transaction) else { return }
            return try noteReseal(.lost, AuditHead(), by: actor, at: now, in: transaction)
        }
        guard auditKeys.sealing != nil, let reason = try unsealed(head, in: transaction) else { return }
        try noteReseal(reason, head, by: actor, at: now, in: transaction)
    }

    private func unsealed(_ head: AuditHead, in transaction: borrowing WriteTransaction) throws -> Unsealed? {
        if let seal = head.seal {
            guard let key = auditKeys.key(seal.keyID) else { return .unknownKey }
            guard seal.isValid(AuditHead.purpose, with: key) else { return .notGenuine }
            if seal.sequence == head.sequence, seal.hash == head.hash { return nil }
            guard seal.sequence < head.sequence else { return .notGenuine }
            if let sealed = try Tables.audit.get(seal.sequence, in: transaction) {
                guard sealed.hash == seal.hash else { return .notGenuine }
            } else {
                guard let anchor = head.anchor, anchor.sequence >= seal.sequence else { return .notGenuine }
            }
        } else {
            // Whoever makes the first signing key has the audit key, and seals the event of that.
            guard try !hasOldSigningKeys(in: transaction) else { return .missing }
        }
        var isForged = false
        let (next, overflow) = (head.seal?.sequence ?? 0).addingReportingOverflow(1)
        guard !overflow else { return .notGenuine }
        try Tables.audit.forEach(from: next, in: transaction) { _, stored, _ in
            isForged = (try? stored.event()).map { Self.sealedTypes.contains($0.type) } ?? true
            return !isForged
        }
        return isForged ? .forged : .byCommands
    }

    /// Every account and every key comes with an event, in the transaction that makes it: those that are older than the
    /// first event had others.
    private func holdsWhatWasLogged(in transaction: borrowing WriteTransaction) throws -> Bool {
        for id in try Tables.users.keys(limit: Self.batchSize, in: transaction)
        where try !Tables.users.isNew(id, in: transaction) {
            return true
        }
        return try hasOldSigningKeys(in: transaction)
    }

    private func hasOldSigningKeys(in transaction: borrowing WriteTransaction) throws -> Bool {
        for kid in try Tables.keys.keys(limit: Self.batchSize, in: transaction)
        where try !Tables.keys.isNew(kid, in: transaction) {
            return true
        }
        return false
    }

    private func noteReseal(
        _ reason: Unsealed, _ head: AuditHead, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let first = (head.seal?.sequence ?? 0) &+ 1
        let event = NewAuditEvent(
            .auditResealed, success: !reason.isAlarm, reason: reason.rawValue,
            metadata: [
                "unsealed_from": .integer(Int64(clamping: first)),
                "unsealed_to": .integer(Int64(clamping: head.sequence)),
            ])
        let sequence = try appendOne(event, by: actor, at: now, in: transaction)
        if reason.isAlarm { auditAlarms.add("\(reason.rawValue), event \(sequence)") }
    }

    /// What was found to be wrong with the audit log while something was appended, to be told the operator; each once.
    public func takeAuditAlarms() -> [String] { auditAlarms.take() }
}
