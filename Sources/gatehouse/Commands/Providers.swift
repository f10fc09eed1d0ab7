import App
import ArgumentParser

struct ProviderGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "provider", abstract: "Providers that people sign in by.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetch what providers say of themselves, and their keys, as a sign-in would.",
            discussion: "Nobody is signed in, and no secret is sent.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The provider's id (default: all).") var id: String?

        func run() async throws {
            try await Commands.checkProviders(options.invocation, id)
        }
    }
}
