internal import Accounts
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import LMDB

extension Commands {
    /// The filters of `audit list`, as typed.
    public struct AuditSelection: Sendable {
        var user: String?
        var type: String?
        var outcome: String?
        var route: String?
        var address: String?
        var from: String?
        var to: String?

        /// Nil does not filter.
        public init(
            user: String?, type: String?, outcome: String?, route: String?, address: String?, from: String?, to: String?
        ) {
            self.user = user
            self.type = type
            self.outcome = outcome
            self.route = route
            self.address = address
            self.from = from
            self.to = to
        }

        func filter(limit: Int?) throws(CommandFailure) -> AuditFilter {
            if let limit, limit < 1 { throw CommandFailure(.usage, "--limit must be at least 1") }
            var filter = AuditFilter()
            filter.user = user
            filter.type = try type.map(Self.known)
            filter.route = route
            filter.limit = limit
            filter.address = try address.map(network)
            filter.from = try time(from)
            filter.to = try time(to)
            switch outcome {
            case nil: break
            case "success": filter.success = true
            case "failure": filter.success = false
            default: throw CommandFailure(.usage, "--outcome is success or failure")
            }
            return filter
        }

        /// A word that no event has would find nothing, which reads as if nothing had happened.
        private static func known(_ type: String) throws(CommandFailure) -> String {
            guard AuditEventType(rawValue: type) == nil else { return type }
            let names = AuditEventType.allCases.map(\.rawValue).sorted().joined(separator: " ")
            throw CommandFailure(.usage, "there is no event of the type “\(type)”; the types are: \(names)")
        }
    }

    /// `audit list`.
    public static func listAudit(_ invocation: Invocation, _ selection: AuditSelection, limit: Int?) throws {
        try invocation.withStore { store, context in
            try store.auditEvents(try selection.filter(limit: limit)) { event in
                try context.output.line(event.jsonLine)
                return true
            }
        }
    }

    /// `audit follow`: until the process is ended.
    public static func followAudit(_ invocation: Invocation) throws {
        try invocation.withStore { store, context in
            var last = try store.lastAuditSequence()
            var seen = store.environment.lastTransactionID
            while true {
                var events = try store.auditEvents(after: last)
                while !events.isEmpty {
                    for event in events {
                        try context.output.line(event.jsonLine)
                        last = event.sequence
                    }
                    events = try store.auditEvents(after: last)
                }
                // Another process writes: there is nothing to wait on, but the look is a read of one number.
                while store.environment.lastTransactionID == seen { usleep(200_000) }
                seen = store.environment.lastTransactionID
            }
        }
    }

    /// `audit export`.
    public static func exportAudit(_ invocation: Invocation, from: String?, to: String?) throws {
        try invocation.withStore { store, context in
            try store.exportAudit(from: try time(from), to: try time(to)) { try context.output.line($0.jsonLine) }
        }
    }

    /// `audit report access`.
    public static func reportAccess(
        _ invocation: Invocation, user: String?, route: String?, from: String?, to: String?
    ) throws {
        try invocation.withStore { store, context in
            let rows = try store.accessReport(user: user, route: route, from: try time(from), to: try time(to))
            try context.output.list(
                rows,
                columns: [
                    ("USER", \.user), ("ROUTE", \.route), ("CREDENTIAL", \.credential), ("FIRST", { $0.first.rfc3339 }),
                    ("LAST", { $0.last.rfc3339 }), ("COUNT", { "\($0.count)" }),
                    ("ADDRESSES", { $0.addresses.joined(separator: " ") }),
                ])
        }
    }

    /// `audit checkpoint`.
    public static func checkpointAudit(_ invocation: Invocation) throws {
        try invocation.withStore { store, context in
            let line = try store.auditCheckpoint()
            guard context.output.json else { return try context.output.line(line) }
            try context.output.value(try CheckpointDocument(line)) { line }
        }
    }

    /// `audit checkpoint --json`: the line, and what it says.
    private struct CheckpointDocument: Codable {
        let checkpoint: String
        let sequence: UInt64
        let hash: String
        let created_at: String

        init(_ line: String) throws(CommandFailure) {
            let parts = line.split(separator: " ").map(String.init)
            guard parts.count == 7, let sequence = UInt64(parts[2]) else {
                throw CommandFailure(.failed, "the checkpoint cannot be printed as JSON: leave --json out")
            }
            checkpoint = line
            self.sequence = sequence
            hash = parts[3]
            created_at = parts[4]
        }
    }

    /// The line of a checkpoint, which may have been kept as JSON.
    private static func checkpointLine(_ text: String) -> String {
        guard text.first == "{",
            let document = try? JSONDecoder().decode(CheckpointDocument.self, from: Data(text.utf8))
        else { return text }
        return document.checkpoint
    }

    /// `audit verify`.
    public static func verifyAudit(_ invocation: Invocation, checkpoint: String?) throws {
        let line = try checkpoint.map { path throws(CommandFailure) in checkpointLine(try namedFile(path)) }
        try invocation.withStore { store, context in
            let result = try store.verifyAudit(checkpoint: line)
            try context.output.value(result) {
                result.problem.map { "Event \($0.sequence): \($0.message)" }
                    ?? "\(result.checked) events, none changed, missing or out of order.\(seal(of: result))"
            }
            if result.problem != nil { throw CommandFailure(.failed, "") }
        }
    }

    private static func seal(of result: AuditVerification) -> String {
        if result.unsealed > 0 {
            return "\nThe last \(result.unsealed) are behind the last seal: vouched for by the chain alone."
        }
        return result.isSealed ? "" : "\nThe end of the log is not sealed: a cut tail would not be found."
    }

    static func time(_ text: String?) throws(CommandFailure) -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw CommandFailure(.usage, "“\(text)” is no time; write 2026-11-23T08:00:00Z or 2026-11-23")
        }
        return time
    }
}
