internal import Accounts
internal import Core
internal import Settings

/// What the command line can do; one function a command. Each prints its result and throws ``CommandFailure`` or a
/// room's own error.
public enum Commands {}

extension Commands {
    /// What `user add` was told.
    public struct NewAccount: Sendable {
        public var email: String
        public var username: String?
        public var name: String?
        public var groups: [String]?
        public var isService: Bool
        /// The password is the first line of standard input.
        public var readsPassword: Bool
        /// Also make a link to set the first password.
        public var invites: Bool
        /// Of mails until the first sign-in on a page.
        public var language: String?

        /// All fields, named as they are.
        public init(
            email: String, username: String?, name: String?, groups: [String]?, isService: Bool, readsPassword: Bool,
            invites: Bool, language: String? = nil
        ) {
            self.language = language
            self.email = email
            self.username = username
            self.name = name
            self.groups = groups
            self.isService = isService
            self.readsPassword = readsPassword
            self.invites = invites
        }
    }

    /// `user add`.
    public static func addUser(_ invocation: Invocation, _ new: NewAccount) throws {
        guard !new.isService || !(new.readsPassword || new.invites) else {
            throw CommandFailure(.usage, "a service account has only API keys: leave out the password and --invite")
        }
        guard !(new.readsPassword && new.invites) else {
            throw CommandFailure(.usage, "--invite is for an account without a password: leave out one of the two")
        }
        let language = new.language.flatMap(MailLanguage.init(rawValue:))
        guard new.language == nil || language != nil else {
            let known = MailLanguage.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(.usage, "“\(new.language ?? "")” is no language of the mails: \(known)")
        }
        try invocation.withStore { store, context in
            let email = try emailAddress(new.email).description
            var account = NewUser(
                email: email, username: new.username, name: new.name ?? "", groups: new.groups ?? [],
                service: new.isService, language: language)
            if new.readsPassword {
                account.passwordHash = try newPasswordHash(
                    for: .init(email: email, username: new.username ?? email, name: new.name ?? ""), context.settings)
            }
            let user = try typed { try store.addUser(account, by: context.actor) }
            guard new.invites else {
                return try context.output.value(user) { "Added \(user.username) (\(user.id))." }
            }
            let link = try store.createLink(.invitation, for: user.id, by: context.actor)
            try printLink(link, context)
        }
    }

    /// `user list`.
    public static func listUsers(_ invocation: Invocation) throws {
        try invocation.withStore { store, context in
            try context.output.list(
                try store.users(),
                columns: [
                    ("ID", \.id), ("USER", \.username), ("EMAIL", \.email),
                    ("GROUPS", { $0.groups.joined(separator: ",") }),
                    ("STATE", { $0.disabled ? "disabled" : $0.service ? "service" : "enabled" }),
                ])
        }
    }

    /// `user show`.
    public static func showUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let user = try store.user(selector)
            try context.output.value(user) {
                """
                id        \(user.id)
                username  \(user.username)
                email     \(user.email)
                name      \(user.name)
                groups    \(user.ownGroups.joined(separator: ", "))
                given     \(user.providerGroups.joined(separator: ", "))
                kind      \(user.service ? "service" : "person")
                language  \(user.language?.rawValue ?? "")
                state     \(user.disabled ? "disabled" : "enabled")
                created   \(user.createdAt.rfc3339)
                """
            }
        }
    }

    /// `user rename`.
    public static func renameUser(_ invocation: Invocation, _ selector: String, to username: String) throws {
        try invocation.withStore { store, context in
            let user = try typed { try store.renameUser(selector, to: username, by: context.actor) }
            try context.output.value(user) { "The user name is now \(user.username)." }
        }
    }

    /// `user set-groups`.
    public static func setGroups(_ invocation: Invocation, _ selector: String, to groups: [String]) throws {
        try invocation.withStore { store, context in
            let given = try store.user(selector).providerGroups
            let user = try typed { try store.setGroups(selector, to: groups, by: context.actor) }
            try context.output.value(user) {
                "\(user.username) is now in: \(user.groups.isEmpty ? "no group" : user.groups.joined(separator: ", "))."
                    + (given.isEmpty
                        ? ""
                        : "\nRemoved besides, until the next sign-in there: groups that providers gave ("
                            + given.joined(separator: ", ") + ").")
            }
        }
    }

    /// `user disable`.
    public static func disableUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let report = try store.disableUser(selector, by: context.actor)
            try context.output.value(report) { "Disabled. \(describe(report))" }
        }
    }

    /// `user enable`.
    public static func enableUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let user = try store.enableUser(selector, by: context.actor)
            try context.output.value(user) {
                "\(user.username) is enabled; keys and sessions that were ended stay ended."
            }
        }
    }

    /// `user delete`.
    public static func deleteUser(_ invocation: Invocation, _ selector: String) throws {
        try invocation.withStore { store, context in
            let report = try store.deleteUser(selector, by: context.actor)
            try context.output.value(report) {
                "Deleted. \(describe(report))"
                    + (report.blockedEmail.map {
                        "\n\($0) stays blocked: `gatehouse block remove --email \($0)` lifts that."
                    } ?? "")
            }
        }
    }

    static func emailAddress(_ text: String) throws(CommandFailure) -> EmailAddress {
        guard let address = EmailAddress(text) else {
            throw CommandFailure(.usage, "“\(text)” is no e-mail address (name@example.com)")
        }
        return address
    }

    /// What was typed and is not of the form that is needed is wrong usage.
    static func typed<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as AccountsError {
            guard error.code == .invalid else { throw error }
            throw CommandFailure(.usage, error.description)
        }
    }

    private static func describe(_ report: CutReport) -> String {
        """
        Ended: \(report.sessions.count) sessions with their tokens, \(report.apiKeys.count) API keys, \(report.links) links.
        Behind a proxy that asks by check requests, connections that are already open (WebSockets, streams, downloads) \
        stay open until that proxy closes them.
        """
    }
}
