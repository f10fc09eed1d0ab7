import App
import ArgumentParser

struct AuditGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "The audit log.",
        subcommands: [List.self, Follow.self, Export.self, Report.self, Checkpoint.self, Verify.self])

    struct Filter: ParsableArguments {
        @Option(help: "Only this user's events.") var user: String?
        @Option(help: "Only events of this type.") var type: String?
        @Option(help: "success or failure.") var outcome: String?
        @Option(help: "Only events on this route.") var route: String?
        @Option(help: "Only from this address or network.") var address: String?
        @OptionGroup var range: Range

        var selection: Commands.AuditSelection {
            .init(
                user: user, type: type, outcome: outcome, route: route, address: address, from: range.from,
                to: range.to)
        }
    }

    struct Range: ParsableArguments {
        @Option(help: "From this time on (RFC 3339, or a date).") var from: String?
        @Option(help: "Before this time.") var to: String?
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Events as JSON lines, newest first.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var filter: Filter
        @Option(help: "At most this many.") var limit: Int?

        func run() throws {
            try Commands.listAudit(options.invocation, filter.selection, limit: limit)
        }
    }

    struct Follow: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "New events as they are written.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.followAudit(options.invocation)
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Events as JSON lines, oldest first.")

        @OptionGroup var options: CommonOptions
        @OptionGroup var range: Range

        func run() throws {
            try Commands.exportAudit(options.invocation, from: range.from, to: range.to)
        }
    }

    struct Report: CommandGroup {
        static let configuration = CommandConfiguration(
            commandName: "report", abstract: "Reports.", subcommands: [Access.self])

        struct Access: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Who reached what, with which credential, when.")

            @OptionGroup var options: CommonOptions
            @OptionGroup var range: Range
            @Option(help: "Only this user.") var user: String?
            @Option(help: "Only this route.") var route: String?

            func run() throws {
                try Commands.reportAccess(
                    options.invocation, user: user, route: route, from: range.from, to: range.to)
            }
        }
    }

    struct Checkpoint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One line to keep elsewhere: `verify --checkpoint` finds any change to what it covers.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.checkpointAudit(options.invocation)
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every event's place in the chain; exit 1 at the first bad one.")

        @OptionGroup var options: CommonOptions
        @Option(help: "A file that `checkpoint` wrote.") var checkpoint: String?

        func run() throws {
            try Commands.verifyAudit(options.invocation, checkpoint: checkpoint)
        }
    }
}

struct KeyGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Signing keys.", subcommands: [List.self, Rotate.self, Retire.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List signing keys.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.listSigningKeys(options.invocation)
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Publish new keys now; they sign a day later, and the old stay until their last token has ended.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.rotateSigningKeys(options.invocation)
        }
    }

    struct Retire: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse what a key signed, at once.")

        @OptionGroup var options: CommonOptions
        @Argument(help: "The key's id (kid).") var kid: String

        func run() throws {
            try Commands.retireSigningKey(options.invocation, kid: kid)
        }
    }
}

struct MasterKeyGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "master-key", abstract: "The key that seals what is secret in the store.",
        subcommands: [Rotate.self])

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Seal everything under a new key while the server runs; to run it again goes on.")

        @OptionGroup var options: CommonOptions
        @Option(name: .customLong("new"), help: "The file with the new key, as `gatehouse keygen` writes it.")
        var file: String

        func run() throws {
            try Commands.rotateMasterKey(options.invocation, new: file)
        }
    }
}

struct StoreGroup: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The store.", subcommands: [Info.self, Check.self])

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Size, schema and what is in it.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.storeInformation(options.invocation)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read everything and hold it against itself; exit 1 if something is wrong.")

        @OptionGroup var options: CommonOptions

        func run() throws {
            try Commands.checkStore(options.invocation)
        }
    }
}
