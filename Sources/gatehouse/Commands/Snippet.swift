import App
import ArgumentParser

struct Snippet: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what a proxy needs to ask about the routes of this configuration.")

    @OptionGroup var options: CommonOptions

    @Argument(help: "nginx, traefik, caddy, envoy or haproxy.")
    var proxy: String

    @Option(help: "Where the proxy listens, HOST:PORT, without TLS; default: the port of the routes' scheme.")
    var listen: String?

    @Flag(help: "Print gatehouse.lua, which the configuration for haproxy loads.")
    var lua = false

    func run() throws {
        try Commands.snippet(options.invocation, for: proxy, listen: listen, lua: lua)
    }
}
