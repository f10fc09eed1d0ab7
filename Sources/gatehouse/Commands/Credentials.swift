import App
import ArgumentParser

struct APIKeyGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "api-key", abstract: "Keys for scripts and services.",
        subcommands: [Create.self, List.self, Revoke.self, Rotate.self, Import.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key; it is shown this once.")

        @OptionGroup var options: CommonOptions
        @Option(help: "The owner (id, user name or e-mail).") var user: String
        @Option(help: "What the key is for.") var name: String
        @Option(help: "Scopes, separated by commas.") var scopes: String?
        @Option(help: "Names of the only routes it is good for.") var routes: String?
        @Option(help: "The only networks it may come from.") var networks: String?
        @Option(help: "The only methods it may use.") var methods: String?
        @Option(help: "How long it is good for, e.g. 90d.") var expires: String?

        func run() throws {
            try Commands.createKey(
                options.invocation,
                Commands.NewKey(
                    user: user, name: name, scopes: scopes.map(commaSeparated), routes: routes.map(commaSeparated),
                    networks: networks.map(commaSeparated), methods: methods.map(commaSeparated), lifetime: expires))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys.")

        @OptionGroup var options: CommonOptions
        @Option(help: "Only this user's.") var user: String?
        @Option(help: "Only those that end within this time, e.g. 14d.") var expiring: String?

        func run() throws {
            try Commands.listKeys(options.invocation, user: user, expiringWithin: expiring)
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse a key from its next request on.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The key's id.") var id: String

        func run() throws {
            try Commands.revokeKey(options.invocation, id: id)
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a successor; the old key ends after the overlap.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The key's id.") var id: String
        @Option(help: "How long both are good.") var overlap = "7d"

        func run() throws {
            try Commands.rotateKey(options.invocation, id: id, overlap: overlap)
        }
    }
}

extension APIKeyGroup {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store keys that were made elsewhere, one a line on standard input.", shouldDisplay: false)

        @OptionGroup var options: CommonOptions
        @Option(help: "The owner (id, user name or e-mail).") var user: String
        @Option(help: "What the keys are for.") var name: String

        func run() throws {
            try Commands.importKeys(options.invocation, user: user, name: name)
        }
    }
}

struct TokenGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Access tokens.", subcommands: [Issue.self])

    struct Issue: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Issue an access token for app routes.")

        @OptionGroup var options: CommonOptions
        @Option(help: "The user (id, user name or e-mail).") var user: String
        @Option(help: "How long it is good for.") var lifetime: String?

        func run() throws {
            try Commands.issueToken(options.invocation, user: user, lifetime: lifetime)
        }
    }
}

struct SessionGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Sessions.", subcommands: [List.self, Revoke.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List sessions.")

        @OptionGroup var options: CommonOptions
        @Option(help: "Only this user's.") var user: String?

        func run() throws {
            try Commands.listSessions(options.invocation, user: user)
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a session and its tokens.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The session's id.") var id: String

        func run() throws {
            try Commands.revokeSession(options.invocation, id: id)
        }
    }
}

struct BlockGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "block", abstract: "Identities that are refused whatever proves them.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Target: ParsableArguments {
        @Option(help: "An e-mail address.") var email: String?
        @Option(help: "A foreign issuer, together with --subject.") var issuer: String?
        @Option(help: "The subject there.") var subject: String?

        var identity: Commands.BlockedIdentity { .init(email: email, issuer: issuer, subject: subject) }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse an identity from its next request on.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: Target
        @Option(help: "Why, for the audit log.") var note = ""

        func run() throws {
            try Commands.addBlock(options.invocation, target.identity, note: note)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List blocked identities.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.listBlocks(options.invocation)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let an identity in again.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: Target

        func run() throws {
            try Commands.removeBlock(options.invocation, target.identity)
        }
    }
}
