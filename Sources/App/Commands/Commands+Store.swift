internal import Accounts
internal import Core
internal import Glibc
internal import LMDB
internal import Settings

extension Commands {
    /// `key list`.
    public static func listSigningKeys(_ invocation: Invocation) throws {
        try invocation.withStore(readingMasterKey: true) { store, context in
            try printKeys(try store.signingKeys(), context)
        }
    }

    /// `key rotate`.
    public static func rotateSigningKeys(_ invocation: Invocation) throws {
        try invocation.withStore(readingMasterKey: true) { store, context in
            try printKeys(try store.rotateSigningKeys(purpose: nil, by: context.actor), context)
        }
    }

    /// `key retire`.
    public static func retireSigningKey(_ invocation: Invocation, kid: String) throws {
        try invocation.withStore(readingMasterKey: true) { store, context in
            try printKeys([try store.retireSigningKey(kid, by: context.actor)], context)
        }
    }

    private static func printKeys(_ keys: [SigningKey], _ context: CommandContext) throws {
        try context.output.list(
            keys,
            columns: [
                ("KID", \.kid), ("PURPOSE", { $0.purpose.rawValue }), ("STATE", { $0.state.rawValue }),
                ("CREATED", { $0.createdAt.rfc3339 }),
            ])
    }

    /// `store info`.
    public static func storeInformation(_ invocation: Invocation) throws {
        struct Answer: Encodable {
            let path: String
            let schema: Int
            let map_bytes: UInt64
            let map_used_bytes: UInt64
            let readers: UInt32
            let last_transaction: UInt64
            let rows: StoreCounts
        }
        try invocation.withStore { store, context in
            let information = store.environment.information
            let answer = Answer(
                path: context.settings.dataFolder, schema: Int(Build.schema), map_bytes: information.mapBytes,
                map_used_bytes: information.usedBytes, readers: information.readers,
                last_transaction: information.lastTransactionID, rows: try store.counts())
            try context.output.value(answer) {
                """
                path              \(answer.path)
                schema            \(answer.schema)
                map               \(answer.map_used_bytes) of \(answer.map_bytes) bytes
                readers           \(answer.readers)
                last transaction  \(answer.last_transaction)
                users             \(answer.rows.users)
                API keys          \(answer.rows.apiKeys)
                sessions          \(answer.rows.sessions)
                blocks            \(answer.rows.blocks)
                audit events      \(answer.rows.auditEvents)
                """
            }
        }
    }

    /// `store check`.
    public static func checkStore(_ invocation: Invocation) throws {
        struct Answer: Encodable {
            let problems: [String]
        }
        try invocation.withStore { store, context in
            let answer = Answer(problems: try store.check())
            try context.output.value(answer) {
                answer.problems.isEmpty ? "The store is sound." : answer.problems.joined(separator: "\n")
            }
            if !answer.problems.isEmpty { throw CommandFailure(.failed, "") }
        }
    }

    /// `backup`.
    public static func backUp(_ invocation: Invocation, folder: String) throws {
        try invocation.withStore { store, context in
            let report = try context.withRights(to: .write, folder) {
                try store.backUp(to: folder, by: context.actor)
            }
            let isSound = report.problems.isEmpty
            try context.output.value(report) {
                isSound
                    ? "Backed up to \(folder)."
                    : "Backed up to \(folder), but the copy is not sound:\n" + report.problems.joined(separator: "\n")
            }
            if !isSound { throw CommandFailure(.failed, "") }
        }
    }

    /// `restore`.
    public static func restore(
        _ invocation: Invocation, folder: String, auditExport: String?, despiteProblems: Bool
    ) throws {
        // Before this process becomes the owner of the data folder, who may not see the file.
        let lines = try auditExport.map { path throws(CommandFailure) in TextFile.lines(of: try namedFile(path)) }
        let context = try invocation.context(readingMasterKey: true)
        let (store, report) = try context.withRights(to: .read, folder) {
            try Store.restore(
                from: folder, into: try context.storeConfiguration(readingMasterKey: true),
                auditExport: lines, despiteProblems: despiteProblems,
                clock: SystemClock(), random: SystemRandom(), by: context.actor)
        }
        store.close()
        try context.output.value(report) { describe(report) }
    }

    private static func describe(_ report: RestoreReport) -> String {
        var lines = ["Restored up to event \(report.auditSequence); \(report.sessionsEnded) sessions were ended."]
        if !report.problems.isEmpty { lines += ["The backup was not sound:"] + report.problems }
        if !report.replayed.isEmpty { lines.append("\(report.replayed.count) later revocations were done again.") }
        if let lost = report.lostRevocations {
            lines.append(lost.isEmpty ? "No later revocation is lost." : "Lost revocations; do them again:")
            lines += lost.map(\.jsonLine)
        } else {
            lines.append(
                "Revocations after the backup are lost and not known here; --audit-export FILE does them again.")
        }
        return lines.joined(separator: "\n")
    }

    /// What is in a file that the operator has named: none is something else than one that cannot be read.
    static func namedFile(_ path: String) throws(CommandFailure) -> String {
        if path != "-", access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR {
            throw CommandFailure(.notFound, "there is no file \(path)")
        }
        return try TextFile.read(path)
    }
}
