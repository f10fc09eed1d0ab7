internal import Accounts
internal import Core

extension Commands {
    /// Whom `block` means, as typed.
    public struct BlockedIdentity: Sendable {
        var email: String?
        var issuer: String?
        var subject: String?

        /// Either the e-mail, or issuer and subject.
        public init(email: String?, issuer: String?, subject: String?) {
            self.email = email
            self.issuer = issuer
            self.subject = subject
        }

        func parsed() throws(CommandFailure) -> BlockSubject {
            switch (email, issuer, subject) {
            case (let email?, nil, nil): return .email(try emailAddress(email))
            case (nil, let issuer?, let subject?): return .subject(issuer: issuer, subject: subject)
            default: throw CommandFailure(.usage, "say either --email, or --issuer together with --subject")
            }
        }
    }

    /// `block add`.
    public static func addBlock(_ invocation: Invocation, _ identity: BlockedIdentity, note: String) throws {
        try invocation.withStore { store, context in
            let subject = try identity.parsed()
            let block = try typed { try store.addBlock(subject, note: note, by: context.actor) }
            try context.output.value(block) { "Blocked." }
        }
    }

    /// `block list`.
    public static func listBlocks(_ invocation: Invocation) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.blocks(),
                columns: [
                    ("EMAIL", { $0.email ?? "-" }), ("ISSUER", { $0.issuer ?? "-" }),
                    ("SUBJECT", { $0.subject ?? "-" }),
                    ("SINCE", { $0.createdAt.rfc3339 }), ("NOTE", \.note),
                ])
        }
    }

    /// `block remove`.
    public static func removeBlock(_ invocation: Invocation, _ identity: BlockedIdentity) throws {
        try invocation.withStore { store, context in
            let block = try store.removeBlock(try identity.parsed(), by: context.actor)
            try context.output.value(block) { "No longer blocked." }
        }
    }
}
