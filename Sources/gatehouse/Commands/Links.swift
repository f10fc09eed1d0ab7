import App
import ArgumentParser

extension UserGroup {
    struct Links: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the identities at providers that sign in to an account.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.listLinks(options.invocation, target.user)
        }
    }

    struct Unlink: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an identity at a provider from an account, and end the sessions that began by it.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument
        @Argument(help: "The link's id, as `user links` shows it.") var link: String
        @Option(help: "Why, for the audit log.") var reason: String?

        func run() throws {
            try Commands.removeLink(options.invocation, target.user, link: link, reason: reason)
        }
    }
}
