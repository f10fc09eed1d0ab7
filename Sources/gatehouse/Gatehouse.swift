import App
import ArgumentParser

@main
struct Gatehouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "Decides who may reach the web apps behind it, and tells them who it is.",
        discussion:
            "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 not found, 4 exists already.",
        version: Build.description,
        subcommands: [
            Serve.self, CheckConfig.self, Reload.self, Health.self, Version.self, Init.self, Keygen.self, Demo.self,
            Explain.self, Snippet.self, UserGroup.self, APIKeyGroup.self, TokenGroup.self, SessionGroup.self,
            BlockGroup.self, ProviderGroup.self,
            AuditGroup.self,
            KeyGroup.self, MasterKeyGroup.self, OutboxGroup.self, StoreGroup.self, Backup.self, Restore.self,
            Doctor.self,
        ]
    )

    func run() async throws {
        throw CommandFailure(missingVerbOf: Self.self)
    }

    // ArgumentParser's own `main` ends with 64 on wrong usage, where this program's contract says 2.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            if let failure = CommandFailure(reporting: error) {
                failure.endProcess()
            }
            let code = exitCode(for: error)
            guard code != .success else { exit(withError: error) }
            unknownVerb(in: CommandLine.arguments.dropFirst())?.endProcess()
            let text = fullMessage(for: error)
            CommandFailure(.usage, text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text).endProcess()
        }
    }
}

/// A command that only leads to others: to say none of them is wrong usage.
protocol CommandGroup: ParsableCommand {}

extension CommandGroup {
    func run() throws {
        throw CommandFailure(missingVerbOf: Self.self)
    }
}

extension CommandFailure {
    fileprivate init(missingVerbOf group: any ParsableCommand.Type) {
        self.init(.usage, "say which command\n\n" + Gatehouse.helpMessage(for: group))
    }
}

extension Gatehouse {
    /// - Parameters:
    ///   - words: what was typed behind the name of `group`.
    ///   - group: the command that they begin in.
    ///   - name: as it was typed, `gatehouse user`.
    /// - Returns: nil when every word that should name a command does.
    private static func unknownVerb(
        in words: ArraySlice<String>, of group: any ParsableCommand.Type = Gatehouse.self,
        named name: String = "gatehouse"
    ) -> CommandFailure? {
        guard let word = words.first, !word.hasPrefix("-") else { return nil }
        var shown: [String] = []
        for command in group.configuration.subcommands {
            if command._commandName == word {
                return unknownVerb(in: words.dropFirst(), of: command, named: "\(name) \(word)")
            }
            if command.configuration.shouldDisplay { shown.append(command._commandName) }
        }
        return shown.isEmpty ? nil : CommandFailure(unknown: word, in: name, among: shown)
    }
}

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration (default: $GATEHOUSE_CONFIG, then /etc/gatehouse/gatehouse.yaml).")
    var config: String?

    @Flag(name: .long, help: "One JSON document on standard output (lists: one a line), nothing else.")
    var json = false

    var invocation: Invocation { Invocation(configuration: config, json: json) }
}
