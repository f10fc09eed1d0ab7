internal import Accounts
internal import Core
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
                context.output.line(event.jsonLine)
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
                        context.output.line(event.jsonLine)
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
            try store.exportAudit(from: try time(from), to: try time(to)) { context.output.line($0.jsonLine) }
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
            context.output.line(try store.auditCheckpoint())
        }
    }

    /// `audit verify`.
    public static func verifyAudit(_ invocation: Invocation, checkpoint: String?) throws {
        let line = try checkpoint.map { path throws(CommandFailure) in try TextFile.read(path) }
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
