internal import Accounts
internal import Core
internal import Settings

extension Commands {
    /// `user links`.
    public static func listLinks(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.socialAccounts(of: selector),
                columns: [
                    ("ID", \.id), ("PROVIDER", \.provider), ("ISSUER", \.issuer), ("SUBJECT", \.subject),
                    ("EMAIL", { $0.email ?? "" }), ("LINKED", \.linkedAt.rfc3339),
                ])
        }
    }

    /// `user unlink`.
    public static func removeLink(
        _ invocation: Invocation, _ selector: String, link: String, reason: String?
    ) throws {
        try invocation.withStore { store, context in
            let removed = try store.unlink(link, of: selector, reason: reason, by: context.actor)
            let claims = context.settings.login.providers.contains {
                $0.issuer == removed.link.issuer && !$0.claimedDomains.isEmpty
            }
            try context.output.value(removed) {
                "\(removed.link.subject) at \(removed.link.provider) signs in to \(removed.user.username) no more. "
                    + "Ended: \(removed.sessions.count) sessions."
                    + (claims
                        ? " With `claim_accounts` its next sign-in may link it again: `gatehouse block add` keeps it out."
                        : "")
            }
        }
    }
}
