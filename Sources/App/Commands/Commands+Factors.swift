internal import Accounts
internal import Core

extension Commands {
    /// `user factors`.
    public static func showFactors(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let shown = try store.factors(of: selector)
            try context.output.value(shown) {
                let lines = shown.factors.map { factor in
                    "\(factor.kind)  \(factor.name)  since \(factor.createdAt.rfc3339), last used "
                        + "\(factor.lastUsedAt?.rfc3339 ?? "never")"
                }
                let none = lines.isEmpty ? ["\(shown.user.username) has no second factor."] : lines
                return (none + ["backup codes left: \(shown.backupCodes)"]).joined(separator: "\n")
            }
        }
    }

    /// `user reset-2fa`.
    public static func resetFactors(
        _ invocation: Invocation, _ selector: String, only: [String], printsLink: Bool, reason: String?
    ) throws {
        var kinds: Set<FactorKind> = []
        for word in only {
            guard let kind = FactorKind(rawValue: word) else {
                let words = FactorKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure(.usage, "--only takes \(words), not “\(word)”")
            }
            kinds.insert(kind)
        }
        let chosen = kinds
        try invocation.withStore(readingMasterKey: true) { store, context in
            guard printsLink || store.mailIsOn else {
                throw CommandFailure(.usage, "there is no mail to send the link by: say --print-link")
            }
            let reset = try store.resetFactors(
                of: selector, only: chosen, reason: reason, printsLink: printsLink, by: context.actor)
            try context.output.value(reset) {
                """
                Taken away: \(reset.removed.isEmpty ? "nothing, there was none" : reset.removed.joined(separator: ", ")). \
                Ended: \(reset.sessions.count) sessions.
                \(reset.link.map { "For a new one, good once and for 24 hours, together with the password:\n\($0)" }
                    ?? "The link for a new one was mailed; it is good together with the password only.")
                """
            }
        }
    }
}
