internal import Accounts
internal import Core
internal import Cryptography
internal import Settings

/// Passwords, locks and links, by the operator.
extension Commands {
    /// `user set-password`.
    public static func setPassword(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let user = try store.user(selector)
            let hash = try newPasswordHash(
                for: .init(email: user.email, username: user.username, name: user.name), context.settings)
            let ended = try store.setPassword(of: user.id, hash: hash, by: context.actor)
            struct Answer: Encodable {
                let user: User
                let sessions_ended: [String]
            }
            try context.output.value(Answer(user: user, sessions_ended: ended)) {
                "The password of \(user.username) is set; \(ended.count) sessions ended."
            }
        }
    }

    /// `user sign-out`.
    public static func signOutUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let ended = try store.signOutUser(selector, by: context.actor)
            struct Answer: Encodable {
                let sessions_ended: [String]
            }
            try context.output.value(Answer(sessions_ended: ended)) { "Ended \(ended.count) sessions." }
        }
    }

    /// `user unlock`.
    public static func unlockUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let wasLocked = try store.unlockUser(selector, by: context.actor)
            struct Answer: Encodable {
                let was_locked: Bool
            }
            try context.output.value(Answer(was_locked: wasLocked)) {
                wasLocked ? "The account can be signed in to again." : "It was not locked; its failures are forgotten."
            }
        }
    }

    /// `user link`.
    public static func createLink(_ invocation: Invocation, _ selector: String, kind: String) throws {
        let byOperator: Set<LinkPurpose> = [.invitation, .resetPassword, .magicLink, .verifyEmail, .unlock]
        guard let purpose = LinkPurpose(rawValue: kind), byOperator.contains(purpose) else {
            throw CommandFailure(
                .usage, "“\(kind)” is no kind of link; use invitation, reset-password, magic-link, verify-email, unlock"
            )
        }
        try invocation.withStore { store, context in
            try printLink(try store.createLink(purpose, for: selector, by: context.actor), context)
        }
    }

    static func printLink(_ link: IssuedLink, _ context: CommandContext) throws {
        struct Answer: Encodable {
            let id: String
            let email: String
            let username: String
            let kind: String
            let link: String
            let expires_at: String
        }
        let answer = Answer(
            id: link.user.id, email: link.user.email, username: link.user.username, kind: link.purpose.rawValue,
            link: link.url, expires_at: link.expiresAt.rfc3339)
        try context.output.value(answer) {
            """
            \(link.url)
            For \(link.user.username) alone, once, until \(link.expiresAt.rfc3339).
            """
        }
    }

    /// A hash of the first line of standard input, which must be a password as people may choose one.
    static func newPasswordHash(for person: PasswordPolicy.Person, _ settings: Settings) throws -> String {
        let password = try PasswordInput.read()
        let policy = settings.passwordPolicy
        var person = person
        person.site = settings.siteWords
        if let problem = policy.problem(with: password, of: person) {
            throw CommandFailure(.failed, "\(policy.explanation(of: problem)) (\(problem.rawValue))")
        }
        let hasher = try PasswordHasher(PasswordHasher.Configuration())
        defer { hasher.stop() }
        do {
            return try hasher.hashAndWait(password).text
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }
}
