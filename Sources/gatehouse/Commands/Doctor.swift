import App
import ArgumentParser

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attack your own proxy: send known bypasses to a canary behind it, and say what leaks.",
        discussion: """
            While it runs, this command is the app behind the canary's host: let the proxy send that host to --canary, \
            in the way it sends every other host to its app. It sends about 250 small requests, one after the \
            other, and changes nothing. Exit 0: nothing leaks; 1: something does; 2: it could not be told.
            """)

    @OptionGroup var options: CommonOptions

    @Option(help: "The canary's URL as clients know it, e.g. https://canary.example.com.")
    var target: String

    @Option(help: "nginx, traefik, caddy, envoy or haproxy; found out if it can be.")
    var proxy: String?

    @Option(name: .customLong("proxy-config"), help: "The proxy's configuration, to find the line; may be repeated.")
    var proxyConfiguration: [String] = []

    @Option(
        name: .customLong("key-file"),
        help: "An API key that may see the closed path (- for standard input); without it less can be told.")
    var keyFile: String?

    @Option(help: "Where the canary listens: the app's address in the proxy's configuration.")
    var canary = "127.0.0.1:9199"

    @Option(help: "HOST:PORT to connect to, whatever the target's name means.")
    var connect: String?

    @Option(name: .customLong("ca"), help: "Certificates to trust besides the system's.")
    var authority: String?

    @Option(name: .customLong("open-path"), help: "A path of the canary's route that everybody may see.")
    var openPath = "/public/doctor"

    @Option(name: .customLong("closed-path"), help: "A path of it that needs a credential.")
    var closedPath = "/doctor"

    func run() async throws {
        try await Commands.doctor(
            options.invocation,
            Commands.Consultation(
                target: target, proxy: proxy, proxyConfiguration: proxyConfiguration, keyFile: keyFile, canary: canary,
                connect: connect, authority: authority, openPath: openPath, closedPath: closedPath))
    }
}
