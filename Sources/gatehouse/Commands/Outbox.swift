import App
import ArgumentParser

struct OutboxGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Mails and events of webhooks that were not handed over yet.",
        subcommands: [List.self, Retry.self, Drop.self])

    struct Choice: ParsableArguments {
        @Argument(help: "The id, as `list` shows it.") var id: String?
        @Flag(help: "All that were given up.") var failed = false

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
