import App
import ArgumentParser

struct OutboxGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Mails that were not handed over yet.",
        subcommands: [List.self, Retry.self, Drop.self])

    struct Choice: ParsableArguments {
        @Argument(help: "The mail's id.") var id: String?
        @Flag(help: "Every mail that was given up.") var failed = false

        var choice: Commands.OutboxChoice { .init(id: id, failed: failed) }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What waits and what was given up, newest first.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.listOutbox(options.invocation)
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send now, and try for another two days.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var choice: Choice

        func run() throws {
            try Commands.retryOutbox(options.invocation, choice.choice)
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove unsent.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var choice: Choice

        func run() throws {
            try Commands.dropOutbox(options.invocation, choice.choice)
        }
    }
}
