import App
import ArgumentParser

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what the verdict on a request would be, which rule gives it and why.",
        discussion: "With --request ID: why the request of that id was refused. Refusals are kept for a day.")

    @OptionGroup var options: CommonOptions

    @Argument(help: "The request method.")
    var method: String?

    @Argument(help: "The URL as the client would ask for it.")
    var url: String?

    @Option(help: "The id of a refused request, as its page, its answer or the log tells it.")
    var request: String?

    @Option(help: "Judge as this user (id, user name or e-mail).")
    var user: String?

    @Option(name: .customLong("api-key"), help: "Judge with the API key of this id.")
    var apiKey: String?

    @Option(help: "Judge with the JWT in this file (- for standard input).")
    var jwt: String?

    @Option(help: "The client's address.")
    var address: String?

    @Option(help: "allow, sign_in, step_up or deny: exit 1 unless the verdict is this.")
    var expect: String?

    func validate() throws {
        let isQuestion = method != nil && url != nil
        let hasMore = [method, url, user, apiKey, jwt, address].contains { $0 != nil }
        guard request == nil ? isQuestion : !hasMore else {
            throw ValidationError("Say either METHOD and URL, or --request ID with nothing beside it but --expect.")
        }
    }

    func run() async throws {
        if let request {
            return try await Commands.explain(options.invocation, request: request, expected: expect)
        }
        try await Commands.explain(
            options.invocation,
            Commands.Question(
                method: method ?? "", url: url ?? "", user: user, apiKey: apiKey, tokenFile: jwt, address: address,
                expected: expect))
    }
}
