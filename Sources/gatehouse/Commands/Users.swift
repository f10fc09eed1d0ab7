import App
import ArgumentParser

struct UserGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Accounts of people and services.",
        subcommands: [
            Add.self, List.self, Show.self, Rename.self, SetGroups.self, Disable.self, Enable.self, Delete.self,
        ])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The e-mail address, which counts as verified.") var email: String
        @Option(help: "The user name (default: the e-mail address).") var username: String?
        @Option(help: "The display name.") var name: String?
        @Option(help: "Groups, separated by commas.") var groups: String?
        @Flag(help: "A service account: it has only keys.") var service = false

        func run() throws {
            try Commands.addUser(
                options.invocation, email: email, username: username, name: name, groups: groups.map(commaSeparated),
                isService: service)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all accounts.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.listUsers(options.invocation)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one account.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.showUser(options.invocation, target.user)
        }
    }

    struct Rename: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change the user name.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument
        @Argument(help: "The new user name.") var username: String

        func run() throws {
            try Commands.renameUser(options.invocation, target.user, to: username)
        }
    }

    struct SetGroups: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Replace the groups.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument
        @Argument(help: "Groups, separated by commas; \"\" for none.") var groups: String

        func run() throws {
            try Commands.setGroups(options.invocation, target.user, to: commaSeparated(groups))
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End the user's sessions, tokens and keys, block the identity, and say what was cut.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.disableUser(options.invocation, target.user)
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a disabled user in again.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.enableUser(options.invocation, target.user)
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the account; its user name is never given out again.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.deleteUser(options.invocation, target.user)
        }
    }
}

struct UserArgument: ParsableArguments {
    @Argument(help: "The user's id, user name or e-mail.") var user: String
}

/// `a,b` as a list; white space around the parts is dropped, empty parts too.
func commaSeparated(_ text: String) -> [String] {
    text.split(separator: ",").map { part in
        String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
}
