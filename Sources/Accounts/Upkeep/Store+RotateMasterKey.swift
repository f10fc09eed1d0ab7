internal import Core
internal import Cryptography
internal import LMDB

/// What came of sealing everything anew.
public struct ResealReport: Encodable, Sendable, Equatable {
    /// Says which key seals now, and nothing about it.
    public let key: String
    /// How many rows were under another key, by what is sealed in them.
    public internal(set) var resealed: [String: Int] = [:]
    /// Rows that no key opens which is known here.
    public internal(set) var unreadable: [String] = []

    /// All rows together.
    public var total: Int { resealed.values.reduce(0, +) }
}

extension Store {
    /// Takes a master key from `gatehouse master-key rotate`: everything is sealed under it from now on.
    ///
    /// - Parameter text: ``MasterKeys/handover(of:)``.
    /// - Throws: `wrongMasterKey` when it was not sealed under a key of ours.
    public func adopt(handover text: String) throws(AccountsError) {
        let keys = try masterKeys()
        try adopt(try keys.adding(try keys.accept(handover: text)))
    }

    /// Seals everything under the current master key that a previous one has sealed (`master-key rotate`), a batch a
    /// transaction: whatever stops it in between, to run it again goes on. Writers beside it must have the current key.
    ///
    /// - Parameter progress: gets how many rows are done.
    /// - Throws: `noMasterKey`.
    public func rotateMasterKey(
        by actor: AuditActor, progress: (Int) -> Void = { _ in }
    ) throws(AccountsError) -> ResealReport {
        let keys = try masterKeys()
        var report = ResealReport(key: keys.currentID)
        for field in SealedField.allCases {
            var batch = ResealBatch()
            while !batch.isAtEnd {
                let before = batch
                batch = try write { transaction in
                    var next = before
                    try field.reseal(&next, keys, in: transaction)
                    // Not before something was opened: keys that are none of this store's leave no mark.
                    if next.resealed > before.resealed {
                        try Self.mark(keys, at: self.clock.now(), in: transaction)
                    }
                    return next
                }
                progress(report.total + batch.resealed)
            }
            report.resealed[field.rawValue] = batch.resealed
            report.unreadable += batch.unreadable.map { "\(field.rawValue) of \($0)" }
        }
        try noteRotation(report, keys, by: actor)
        return report
    }

    /// The one event of a rotation, however often it had to be begun; with it the audit log is sealed under the new key,
    /// what it says of its pruning too.
    private func noteRotation(
        _ report: ResealReport, _ keys: MasterKeys, by actor: AuditActor
    ) throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            guard report.unreadable.isEmpty,
                try Tables.meta.get(MetaRecord.masterKey, in: transaction)?.text != report.key
            else { return }
            try Tables.meta.put(MetaRecord(at: now, text: report.key), for: MetaRecord.masterKey, in: transaction)
            try Self.mark(keys, at: now, in: transaction)
            try self.resealAnchor(in: transaction)
            var metadata: [String: AuditValue] = ["key": .string(report.key)]
            for (field, count) in report.resealed { metadata[field] = .integer(Int64(count)) }
            try self.append(NewAuditEvent(.masterKeyRotated, metadata: metadata), by: actor, at: now, in: transaction)
        }
    }

    private func resealAnchor(in transaction: borrowing WriteTransaction) throws {
        let keys = auditKeys
        guard let sealing = keys.sealing, var head = try Tables.auditHead.get(Tables.headKey, in: transaction),
            let anchor = head.anchor, let seal = anchor.seal, seal.keyID != sealing.id,
            // What was not genuine before does not become so.
            let old = keys.key(seal.keyID), seal.isValid(AuditHead.anchorPurpose, with: old),
            seal.sequence == anchor.sequence, seal.hash == anchor.hash
        else { return }
        head.anchor?.seal = try .make(
            sequence: anchor.sequence, hash: anchor.hash, purpose: AuditHead.anchorPurpose, with: sealing)
        try Tables.auditHead.put(head, for: Tables.headKey, in: transaction)
    }

    /// What was sealed before its transaction began, under the key that is current in it: a key that was handed over in
    /// between must not leave it behind.
    func underCurrentKey(_ sealed: String, in field: SealedField, key: String) throws -> String {
        let keys = try masterKeys()
        guard let bytes = Base64.decode(sealed), !keys.isCurrent(bytes) else { return sealed }
        let plain = try keys.open(bytes, in: field, key: key).withUnsafeBytes { Array($0) }
        return Base64.encode(try keys.seal(plain, in: field, key: key))
    }
}
