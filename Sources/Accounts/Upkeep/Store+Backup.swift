internal import Core
internal import LMDB

/// What a backup holds.
public struct BackupReport: Encodable, Sendable, Equatable {
    /// Where it is.
    public let folder: String
    /// The last audit event in it.
    public let auditSequence: UInt64
    /// Problems that were found in the copy; empty when it is good.
    public let problems: [String]

    private enum CodingKeys: String, CodingKey {
        case folder, problems
        case auditSequence = "audit_sequence"
    }
}

extension Store {
    /// Copies the store, compacted, while it is used, and checks the copy: its tables and its whole audit log. The
    /// copy holds neither the master key nor `audit.key`.
    ///
    /// - Parameter folder: empty or missing.
    /// - Throws: `exists` when the folder holds a store, `damaged` when this store's pages are, else `store`.
    public func backUp(to folder: String, by actor: AuditActor) throws(AccountsError) -> BackupReport {
        do {
            try environment.backup(toFolder: folder)
        } catch {
            let code: AccountsError.Code =
                switch error.code {
                case .alreadyExists: .exists
                case .corrupted: .damaged
                default: .store
                }
            throw AccountsError(code, "The backup was not made.", cause: error)
        }
        let report = try inspect(backup: folder)
        try recordEvent(
            NewAuditEvent(
                .storeBackedUp, success: report.problems.isEmpty,
                metadata: [
                    "folder": .string(folder), "sequence": .integer(Int64(clamping: report.auditSequence)),
                ]),
            by: actor)
        return report
    }

    private func inspect(backup folder: String) throws(AccountsError) -> BackupReport {
        let copy = try Store.openBackup(
            folder, like: configuration, clock: clock, random: random, auditKeys: auditKeys)
        defer { copy.close() }
        let found = try copy.examine(pagesAreSound: true)
        return BackupReport(folder: folder, auditSequence: found.audit?.last ?? 0, problems: found.problems)
    }

    /// Opens a store that may be damaged or made up, for reading: all of its pages are looked at first.
    static func openBackup(
        _ folder: String, like configuration: Configuration, clock: any WallClock, random: any RandomSource,
        auditKeys: AuditKeys
    ) throws(AccountsError) -> Store {
        var configuration = configuration
        configuration.dataFolder = folder
        configuration.exclusive = false
        configuration.readOnly = true
        configuration.isBackup = true
        return try open(configuration, clock: clock, random: random, auditKeys: auditKeys)
    }
}
