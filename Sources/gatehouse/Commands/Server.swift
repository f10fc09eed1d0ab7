import App
import ArgumentParser

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the server until SIGTERM or SIGINT.")

    @OptionGroup var options: CommonOptions

    func run() async throws {
        try await Commands.serve(options.invocation)
    }
}

struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say everything that is wrong with the configuration; exit 2 if anything is.")

    @OptionGroup var options: CommonOptions

    @Flag(help: "Treat warnings as errors.")
    var strict = false

    func run() throws {
        try Commands.checkConfiguration(options.invocation, strict: strict)
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the running server read its configuration again; exit 1, with the errors, if it refuses it.")

    @OptionGroup var options: CommonOptions

    func run() throws {
        try Commands.reload(options.invocation)
    }
}

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask the running server whether it is ready.")

    @OptionGroup var options: CommonOptions

    func run() async throws {
        try await Commands.health(options.invocation)
    }
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the build and the store's schema.")

    @OptionGroup var options: CommonOptions

    func run() throws {
        try Commands.version(options.invocation)
    }
}

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a configuration, a master key and the data folder; never over an existing file.")

    @OptionGroup var options: CommonOptions

    @Option(name: .customLong("public-url"), help: "The portal's origin, e.g. https://auth.example.com.")
    var publicURL: String

    @Option(help: "The first administrator's e-mail.")
    var admin: String?

    @Option(help: "HOST=URL: an app and where it listens; may be repeated.")
    var app: [String] = []

    func run() throws {
        try Commands.initialise(options.invocation, publicURL: publicURL, administrator: admin, apps: app)
    }
}

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a master key: 32 random bytes in base64.")

    @OptionGroup var options: CommonOptions

    @Option(help: "The file to write, with mode 0600; must not exist. Default: standard output.")
    var out: String?

    func run() throws {
        try Commands.generateKey(options.invocation, out: out)
    }
}

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run Gatehouse in front of a small demo app, with a temporary store, on loopback only.")

    @OptionGroup var options: CommonOptions

    @Option(help: "The port of Gatehouse; a free one by default.")
    var port: UInt16 = 0

    func run() async throws {
        try await Commands.demo(options.invocation, port: port)
    }
}

struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the store, compacted and checked, while the server runs.")

    @OptionGroup var options: CommonOptions

    @Argument(help: "A folder that holds no store yet; made if missing.")
    var folder: String

    func run() throws {
        try Commands.backUp(options.invocation, folder: folder)
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a backup in the place of the store; ends all sessions and tokens.")

    @OptionGroup var options: CommonOptions

    @Argument(help: "The folder that `backup` wrote.")
    var folder: String

    @Option(
        name: .customLong("audit-export"),
        help: "JSON lines of `audit export`: revocations since the backup are replayed.")
    var auditExport: String?

    @Flag(
        name: .customLong("despite-problems"),
        help: "Restore a backup whose tables contradict one another, or whose audit log was changed.")
    var despiteProblems = false

    func run() throws {
        try Commands.restore(
            options.invocation, folder: folder, auditExport: auditExport, despiteProblems: despiteProblems)
    }
}
