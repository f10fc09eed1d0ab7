internal import Accounts
internal import Core
internal import Settings

extension Commands {
    /// What `user import` was told besides the file.
    public struct ImportChoice: Sendable {
        let options: ImportOptions

        /// All options, named as they are.
        public init(updates: Bool, disablesMissing: Bool, isDryRun: Bool) {
            options = ImportOptions(updates: updates, disablesMissing: disablesMissing, isDryRun: isDryRun)
        }
    }

    private static let formats = "csv, jsonl, htpasswd or authelia"

    /// `user import`.
    public static func importUsers(
        _ invocation: Invocation, file: String, format: String, _ choice: ImportChoice
    ) throws {
        let bytes = try TextFile.bytes(file)
        let lines: [Result<ImportedAccount, ImportFlaw>]
        do {
            if let known = ImportFormat(rawValue: format) {
                lines = try known.read(bytes)
            } else if format == "authelia" {
                lines = try AutheliaUsers.read(bytes)
            } else {
                throw CommandFailure(.usage, "“\(format)” is no format; use \(formats)")
            }
        } catch let flaw as ImportFlaw {
            throw CommandFailure(.failed, "\(file):\(flaw.line): \(flaw.reason)")
        }
        try invocation.withStore { store, context in
            let report = try store.importUsers(lines, choice.options, by: context.actor) { done in
                if !context.output.json, lines.count > 1000 {
                    Output.standardError("\(done) of \(lines.count) lines\n")
                }
            }
            try printReport(report, context.output)
        }
    }

    private static func printReport(_ report: ImportReport, _ output: Output) throws {
        if output.json { return try output.list(report.outcomes, columns: []) }
        let told = report.outcomes.filter { $0.outcome != .unchanged && ($0.outcome != .new || $0.reason != nil) }
        if !told.isEmpty {
            try output.list(
                told,
                columns: [
                    ("LINE", { $0.line.map { "\($0)" } ?? "" }), ("USER", { $0.user ?? "" }),
                    ("OUTCOME", \.outcome.rawValue), ("WHY", { $0.reason ?? "" }),
                ])
        }
        let counts = ImportOutcome.Kind.allCases.map { "\(report.count($0)) \($0.rawValue)" }
        output.line((report.isDryRun ? "Nothing was written. " : "") + counts.joined(separator: ", ") + ".")
    }
}

/// Authelia's `users_database.yml`.
enum AutheliaUsers {
    static func read(_ bytes: [UInt8]) throws(ImportFlaw) -> [Result<ImportedAccount, ImportFlaw>] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ImportFlaw(line: 1, reason: "the file is no UTF-8")
        }
        guard let users = PlainYAML(text)?["users"]?.entries else {
            throw ImportFlaw(line: 1, reason: "this is no YAML with a map `users`")
        }
        return users.map { name, line, user in
            guard let email = user["email"]?.text, user.entries != nil else {
                return .failure(ImportFlaw(line: line, reason: "\(name) has no email"))
            }
            return .success(
                ImportedAccount(
                    line: line, email: email, username: name, name: user["displayname"]?.text,
                    groups: user["groups"].map { $0.items.compactMap(\.text) }, passwordHash: user["password"]?.text,
                    disabled: user["disabled"]?.text == "true"))
        }
    }
}
