import App
import ArgumentParser

extension UserGroup {
    struct Factors: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what second factors and passkeys an account has.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument

        func run() throws {
            try Commands.showFactors(options.invocation, target.user)
        }
    }

    struct ResetFactors: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-2fa",
            abstract: "Take lost second factors away, end all sessions, and make a link to set up a new one.",
            discussion: "The link is mailed, or printed with --print-link; it is good together with the password only.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var target: UserArgument
        @Option(help: "Only these, separated by commas: totp, passkeys, backup-codes.") var only: String?
        @Flag(help: "Print the link to hand it over, instead of mailing it.") var printLink = false
        @Option(help: "Why, for the audit log.") var reason: String?

        func run() throws {
            try Commands.resetFactors(
                options.invocation, target.user, only: only.map(commaSeparated) ?? [], printsLink: printLink,
                reason: reason)
        }
    }
}
