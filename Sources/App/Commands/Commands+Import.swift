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

    private static let formats = "csv, jsonl, htpasswd, authelia or authelia-totp"

    /// `user import`.
    public static func importUsers(
        _ invocation: Invocation, file: String, format: String, _ choice: ImportChoice
    ) throws {
        let bytes = try TextFile.bytes(file)
        if format == "authelia-totp" { return try importAuthenticators(invocation, file: file, bytes, choice) }
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
        // Only what has to be sealed needs the key.
        let hasSecrets = lines.contains { (try? $0.get())?.authenticator != nil }
        try invocation.withStore(readingMasterKey: hasSecrets) { store, context in
            let report = try store.importUsers(lines, choice.options, by: context.actor) { done in
                tell(done, of: lines.count, context)
            }
            try printReport(report, context.output)
        }
    }

    /// Authenticators for accounts that are here.
    private static func importAuthenticators(
        _ invocation: Invocation, file: String, _ bytes: [UInt8], _ choice: ImportChoice
    ) throws {
        guard !choice.options.updates, !choice.options.disablesMissing else {
            throw CommandFailure(.usage, "--format authelia-totp takes neither --update nor --disable-missing")
        }
        let lines: [Result<ImportedFactor, ImportFlaw>]
        do throws(ImportFlaw) {
            lines = try AutheliaAuthenticators.read(bytes)
        } catch {
            throw CommandFailure(.failed, "\(file):\(error.line): \(error.reason)")
        }
        try invocation.withStore(readingMasterKey: true) { store, context in
            let report = try store.importAuthenticators(
                lines, isDryRun: choice.options.isDryRun, by: context.actor
            ) { done in tell(done, of: lines.count, context) }
            try printReport(report, context.output)
        }
    }

    private static func tell(_ done: Int, of count: Int, _ context: CommandContext) {
        guard !context.output.json, count > 1000 else { return }
        Output.standardError("\(done) of \(count) lines\n")
    }

    private static func printReport(_ report: ImportReport, _ output: Output) throws {
        if output.json { return try output.list(report.outcomes, columns: []) }
        let told = report.outcomes.filter { ![.unchanged, .new].contains($0.outcome) || $0.reason != nil }
        if !told.isEmpty {
            try output.list(
                told,
                columns: [
                    ("LINE", { $0.line.map { "\($0)" } ?? "" }), ("USER", { $0.user ?? "" }),
                    ("OUTCOME", \.outcome.rawValue), ("WHY", { $0.reason ?? "" }),
                ])
        }
        let counts = ImportOutcome.Kind.allCases.map { "\(report.count($0)) \($0.rawValue)" }
        try output.line((report.isDryRun ? "Nothing was written. " : "") + counts.joined(separator: ", ") + ".")
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
            guard let disabled = isTrue(user["disabled"]?.text) else {
                return .failure(ImportFlaw(line: line, reason: "\(name): disabled is neither true nor false"))
            }
            return .success(
                ImportedAccount(
                    line: line, email: email, username: name, name: user["displayname"]?.text,
                    groups: user["groups"].map { $0.items.compactMap(\.text) }, passwordHash: user["password"]?.text,
                    disabled: disabled))
        }
    }

    /// In every spelling that Authelia's own reader takes.
    private static func isTrue(_ text: String?) -> Bool? {
        switch text?.lowercased() ?? "" {
        case "true", "yes", "on", "y": true
        case "false", "no", "off", "n", "", "~", "null": false
        default: nil
        }
    }
}

/// What `authelia storage user totp export` writes: a list `totp_configurations`, each with the secret's text in base 64.
enum AutheliaAuthenticators {
    static func read(_ bytes: [UInt8]) throws(ImportFlaw) -> [Result<ImportedFactor, ImportFlaw>] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ImportFlaw(line: 1, reason: "the file is no UTF-8")
        }
        guard let list = PlainYAML(text)?["totp_configurations"]?.list else {
            throw ImportFlaw(line: 1, reason: "this is no YAML with a list `totp_configurations`")
        }
        return list.map { line, entry in
            do throws(ImportFlaw) {
                return .success(try factor(entry, line))
            } catch {
                return .failure(error)
            }
        }
    }

    private static func factor(_ entry: PlainYAML, _ line: Int) throws(ImportFlaw) -> ImportedFactor {
        func flaw(_ reason: String) -> ImportFlaw { ImportFlaw(line: line, reason: reason) }
        guard let user = entry["username"]?.text else { throw flaw("this has no username") }
        guard let encoded = entry["secret"]?.text, let bytes = Base64.decode(encoded),
            let secret = String(validating: bytes, as: UTF8.self)
        else { throw flaw("\(user) has no secret in base 64") }
        guard let digits = Int(entry["digits"]?.text ?? "6"), let period = Int(entry["period"]?.text ?? "30") else {
            throw flaw("\(user) has digits or a period that is no number")
        }
        let used = entry["last_used_at"]?.text
        let lastUsedAt = used.flatMap { Timestamp(rfc3339: $0) }
        guard used == nil || lastUsedAt != nil else { throw flaw("\(user) has a last_used_at that is no time") }
        do throws(ImportedAuthenticatorError) {
            return ImportedFactor(
                line: line, user: user,
                authenticator: try ImportedAuthenticator(
                    secret: secret, algorithm: entry["algorithm"]?.text ?? "SHA1", digits: digits, period: period,
                    lastUsedAt: lastUsedAt))
        } catch {
            throw flaw("\(user): \(error.reason)")
        }
    }
}
