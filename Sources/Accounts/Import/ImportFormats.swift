internal import FoundationEssentials

/// Files of accounts, read line by line. What is wrong with one line does not stop the others.
public enum ImportFormat: String, Sendable, CaseIterable {
    /// A heading line with `email` and any of `username name groups password_hash disabled totp language`; groups behind
    /// semicolons, the authenticator as an `otpauth://` address.
    case csv
    /// An object a line with the same members; groups as a list.
    case jsonl
    /// `name:hash`. A name that is no address becomes `name@localhost`.
    case htpasswd

    /// - Returns: accounts and flaws in the order of the lines.
    /// - Throws: the flaw that makes the whole file unreadable.
    public func read(_ bytes: [UInt8]) throws(ImportFlaw) -> [Result<ImportedAccount, ImportFlaw>] {
        // Spreadsheets begin a file with a mark of its encoding.
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        guard let text = String(validating: bytes.dropFirst(bytes.starts(with: mark) ? 3 : 0), as: UTF8.self) else {
            throw ImportFlaw(line: 1, reason: "the file is no UTF-8")
        }
        switch self {
        case .csv: return try Self.csv(text)
        case .jsonl: return Self.lines(text).map { number, line in Self.json(line, number) }
        case .htpasswd: return Self.lines(text).map { number, line in Self.htpasswd(line, number) }
        }
    }

    private static func lines(_ text: String) -> [(Int, String)] {
        // By bytes: to a String a carriage return and a line feed are one character, which is no line feed.
        let feed = UInt8(ascii: "\n")
        return text.utf8.split(separator: feed, omittingEmptySubsequences: false).enumerated().compactMap {
            index, bytes in
            let line = String(decoding: bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes, as: UTF8.self)
            let isBlank = line.allSatisfy { $0 == " " || $0 == "\t" || $0 == "\r" }
            return isBlank || line.hasPrefix("#") ? nil : (index + 1, line)
        }
    }

    private static func htpasswd(_ line: String, _ number: Int) -> Result<ImportedAccount, ImportFlaw> {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            return .failure(ImportFlaw(line: number, reason: "this is not name:hash"))
        }
        let email = parts[0].contains("@") ? parts[0] : parts[0] + "@localhost"
        return .success(ImportedAccount(line: number, email: email, username: parts[0], passwordHash: parts[1]))
    }

    private struct Row: Decodable {
        var email: String
        var username: String?
        var name: String?
        var groups: [String]?
        var password_hash: String?
        var disabled: Bool?
        var totp: String?
        var language: String?
    }

    private static func json(_ line: String, _ number: Int) -> Result<ImportedAccount, ImportFlaw> {
        guard let row = try? JSON.decode(Row.self, from: Array(line.utf8)) else {
            return .failure(ImportFlaw(line: number, reason: "this is no JSON object with an email and known members"))
        }
        return with(row.totp, number) { authenticator in
            ImportedAccount(
                line: number, email: row.email, username: row.username, name: row.name, groups: row.groups,
                passwordHash: row.password_hash, disabled: row.disabled ?? false, authenticator: authenticator,
                language: row.language)
        }
    }

    /// The account with its authenticator, or why that is none.
    private static func with(
        _ uri: String?, _ line: Int, _ account: (ImportedAuthenticator?) -> ImportedAccount
    ) -> Result<ImportedAccount, ImportFlaw> {
        guard let uri, !uri.isEmpty else { return .success(account(nil)) }
        do throws(ImportedAuthenticatorError) {
            return .success(account(try ImportedAuthenticator(uri: uri)))
        } catch {
            return .failure(ImportFlaw(line: line, reason: error.reason))
        }
    }

    // MARK: CSV (RFC 4180)

    private static let columns: Set<String> = [
        "email", "username", "name", "groups", "password_hash", "disabled", "totp", "language",
    ]

    private static func csv(_ text: String) throws(ImportFlaw) -> [Result<ImportedAccount, ImportFlaw>] {
        var records = try records(of: text)
        guard !records.isEmpty else { return [] }
        let heading = records.removeFirst().fields.map { $0.lowercased() }
        guard heading.contains("email"), Set(heading).count == heading.count, columns.isSuperset(of: heading) else {
            throw ImportFlaw(
                line: 1,
                reason: "the first line must name the columns: email, and any of username, name, groups, "
                    + "password_hash, disabled, totp, language")
        }
        return records.map { record in
            guard record.fields.count == heading.count else {
                return .failure(
                    ImportFlaw(
                        line: record.line,
                        reason: "this line has \(record.fields.count) fields, the heading \(heading.count)"))
            }
            let values = Dictionary(zip(heading, record.fields)) { first, _ in first }
            return account(values, record.line)
        }
    }

    private static func account(_ values: [String: String], _ line: Int) -> Result<ImportedAccount, ImportFlaw> {
        func filled(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }
        let disabled: Bool
        switch values["disabled"]?.lowercased() ?? "" {
        case "", "false", "no", "0": disabled = false
        case "true", "yes", "1": disabled = true
        case let other: return .failure(ImportFlaw(line: line, reason: "\(quoted(other)) is neither true nor false"))
        }
        return with(values["totp"], line) { authenticator in
            ImportedAccount(
                line: line, email: values["email"] ?? "", username: filled("username"), name: values["name"],
                groups: values["groups"].map { $0.split(separator: ";").map { Self.trimmed(String($0)) } },
                passwordHash: filled("password_hash"), disabled: disabled, authenticator: authenticator,
                language: filled("language"))
        }
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private struct Record {
        var line: Int
        var fields: [String]
    }

    private static func records(of text: String) throws(ImportFlaw) -> [Record] {
        var records: [Record] = []
        var fields: [String] = []
        var field = String.UnicodeScalarView()
        var line = 1
        var start = 1
        var isQuoted = false
        var wasQuoted = false
        func end() -> Record? {
            let isBlank = fields.isEmpty && field.isEmpty && !wasQuoted
            return isBlank ? nil : Record(line: start, fields: fields + [String(field)])
        }
        var scalars = text.unicodeScalars.makeIterator()
        var pending = scalars.next()
        while let scalar = pending {
            pending = scalars.next()
            if scalar == "\n" { line += 1 }
            if isQuoted {
                if scalar != "\"" {
                    field.append(scalar)
                } else if pending == "\"" {
                    field.append(scalar)
                    pending = scalars.next()
                } else {
                    isQuoted = false
                }
                continue
            }
            switch scalar {
            case "\"" where field.isEmpty && !wasQuoted:
                isQuoted = true
                wasQuoted = true
            case ",":
                fields.append(String(field))
                field = String.UnicodeScalarView()
                wasQuoted = false
            case "\r" where pending == "\n": continue
            case "\n":
                if let record = end() { records.append(record) }
                fields = []
                field = String.UnicodeScalarView()
                wasQuoted = false
                start = line
            default: field.append(scalar)
            }
        }
        guard !isQuoted else { throw ImportFlaw(line: start, reason: "a quoted field has no end") }
        if let record = end() { records.append(record) }
        return records
    }
}
