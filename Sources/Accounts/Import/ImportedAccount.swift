internal import Core
internal import Cryptography

/// One account of a file, as it is written there.
public struct ImportedAccount: Sendable, Equatable {
    /// Where it stands, for the report.
    public var line: Int
    public var email: String
    public var username: String?
    public var name: String?
    /// Nil: the file says nothing of groups.
    public var groups: [String]?
    /// Nil: the file has no password for it.
    public var passwordHash: String?
    public var disabled: Bool
    /// Nil: the file has no authenticator for it.
    public var authenticator: ImportedAuthenticator?
    /// Of mails until the first sign-in on a page; nil: the file says nothing of it.
    public var language: String?

    /// All fields, named as they are.
    public init(
        line: Int, email: String, username: String? = nil, name: String? = nil, groups: [String]? = nil,
        passwordHash: String? = nil, disabled: Bool = false, authenticator: ImportedAuthenticator? = nil,
        language: String? = nil
    ) {
        self.language = language
        self.line = line
        self.email = email
        self.username = username
        self.name = name
        self.groups = groups
        self.passwordHash = passwordHash
        self.disabled = disabled
        self.authenticator = authenticator
    }
}

/// A line of a file that is no account.
public struct ImportFlaw: Error, Sendable, Equatable {
    public let line: Int
    /// What is wrong with it; holds no password.
    public let reason: String

    /// Both, named as they are.
    public init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }
}

/// An account whose values are of the form that is needed.
struct CheckedAccount: Sendable {
    let line: Int
    let email: EmailAddress
    let username: String
    let name: String?
    let groups: [String]?
    let passwordHash: String?
    let disabled: Bool
    let authenticator: ImportedAuthenticator?
    let language: MailLanguage?

    init(_ account: ImportedAccount) throws(ImportFlaw) {
        line = account.line
        disabled = account.disabled
        authenticator = account.authenticator
        language = account.language.flatMap(MailLanguage.init(rawValue:))
        if let text = account.language, language == nil {
            throw ImportFlaw(
                line: account.line,
                reason: "\(quoted(text)) is no language of the pages: \(MailLanguage.allCases.map(\.rawValue))")
        }
        guard let email = EmailAddress(account.email) else {
            throw ImportFlaw(line: account.line, reason: "\(quoted(account.email)) is no e-mail address")
        }
        self.email = email
        do throws(AccountsError) {
            username = try UserName.validated(account.username ?? email.description)
            name = try account.name.map { text throws(AccountsError) in try validatedLabel(text, what: "name") }
            groups = try account.groups.map { groups throws(AccountsError) in
                try GroupName.validated(groups, byOperator: true)
            }
        } catch {
            throw ImportFlaw(line: account.line, reason: error.message)
        }
        guard let hash = account.passwordHash, !hash.isEmpty else {
            passwordHash = nil
            return
        }
        do throws(PasswordHashRefusal) {
            passwordHash = try PasswordHash.parse(hash).text
        } catch {
            throw ImportFlaw(line: account.line, reason: error.message)
        }
    }
}
