internal import Accounts
internal import Core

extension Commands {
    /// What `outbox retry` and `outbox drop` mean, as typed.
    public struct OutboxChoice: Sendable {
        var id: String?
        var failed: Bool

        /// Either an id or `--failed`.
        public init(id: String?, failed: Bool) {
            self.id = id
            self.failed = failed
        }

        func parsed() throws(CommandFailure) -> OutboxSelection {
            switch (id, failed) {
            case (let id?, false): return .one(id)
            case (nil, true): return .allFailed
            default: throw CommandFailure(.usage, "say either an id that `gatehouse outbox list` shows, or --failed")
            }
        }
    }

    private struct Changed: Encodable {
        let mails: Int
    }

    /// `outbox list`.
    public static func listOutbox(_ invocation: Invocation) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.outbox(),
                columns: [
                    ("ID", \.id), ("KIND", \.kind), ("STATE", \.state), ("TO", \.to), ("TEMPLATE", \.template),
                    ("TRIES", { "\($0.attempts)" }), ("SINCE", { $0.createdAt.rfc3339 }),
                    ("NEXT", { $0.nextAttemptAt?.rfc3339 ?? "-" }), ("ERROR", { $0.lastError ?? "-" }),
                ])
        }
    }

    /// `outbox retry`.
    public static func retryOutbox(_ invocation: Invocation, _ choice: OutboxChoice) throws {
        try invocation.withStore { store, context in
            let count = try store.retryMail(try choice.parsed(), by: context.actor)
            try context.output.value(Changed(mails: count)) { "\(count) to be sent again." }
        }
    }

    /// `outbox drop`.
    public static func dropOutbox(_ invocation: Invocation, _ choice: OutboxChoice) throws {
        try invocation.withStore { store, context in
            let count = try store.dropMail(try choice.parsed(), by: context.actor)
            try context.output.value(Changed(mails: count)) { "\(count) removed unsent." }
        }
    }
}
