import App
import ArgumentParser

struct UserGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Accounts of people and services.",
        subcommands: [
            Add.self, List.self, Show.self, Rename.self, SetPassword.self, SetGroups.self, Disable.self, Enable.self,
            Delete.self, SignOut.self, Unlock.self, Factors.self, ResetFactors.self, Link.self, Links.self, Unlink.self,
            Import.self,
        ])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The e-mail address, which counts as verified.") var email: String
        @Option(help: "The user name (default: the e-mail address).") var username: String?
        @Option(help: "The display name.") var name: String?
        @Option(help: "Groups, separated by commas.") var groups: String?
        @Option(help: "The language of mails until the first sign-in: en or de.") var language: String?
        @Flag(help: "Read the password from the first line of standard input.") var passwordStdin = false
        @Flag(help: "Print a link by which the user sets the first password.") var invite = false
        @Flag(help: "A service account: it has only keys.") var service = false

        func run() throws {
            try Commands.addUser(
                options.invocation,
                Commands.NewAccount(
                    email: email, username: username, name: name, groups: groups.map(commaSeparated),
                    isService: service, readsPassword: passwordStdin, invites: invite, language: language))
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

extension UserGroup {
    struct SetPassword: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-password",
            abstract: "Set the password to the first line of standard input; the user's sessions end.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.setPassword(options.invocation, target.user)
        }
    }

    struct SignOut: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sign-out", abstract: "End all sessions of a user; keys stay.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.signOutUser(options.invocation, target.user)
        }
    }

    struct Unlock: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let an account sign in again that was locked by failed attempts.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.unlockUser(options.invocation, target.user)
        }
    }

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a link that is good once, to hand over to the user.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument
        @Option(help: "invitation, reset-password, magic-link, verify-email or unlock.") var kind = "reset-password"

        func run() throws {
            try Commands.createLink(options.invocation, target.user, kind: kind)
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over accounts from a file; to run it again changes nothing more.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The file; - for standard input.") var file: String
        @Option(help: "csv, jsonl, htpasswd, authelia, or authelia-totp for authenticators of accounts that are here.")
        var format: String
        @Flag(help: "Also change accounts that exist.") var update = false
        @Flag(help: "Disable accounts that are not in the file.") var disableMissing = false
        @Flag(help: "Only say what would be done.") var dryRun = false

        func run() throws {
            try Commands.importUsers(
                options.invocation, file: file, format: format,
                .init(updates: update, disablesMissing: disableMissing, isDryRun: dryRun))
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
