public import Core

/// A user as it is stored.
struct UserRecord: JSONRecord, Equatable {
    var id: String
    var email: String
    var username: String
    var name: String
    var groups: [String]
    var service: Bool
    var disabled: Bool
    /// Raised whenever every credential of the user must end: what was made under a lower one is stale.
    var epoch: UInt64
    var createdAt: Timestamp
    /// In which the pages spoke at the last sign-in, and before the first one whatever the account was made with: mails
    /// about the account are written in it, whoever caused them.
    var language: MailLanguage?

    /// The operator has taken the factors away: a new one is set up by the link that was made then.
    var enrolsByLink: Bool?
    /// The operator made it and nobody has had a way to sign in to it since: nil once there was one.
    var awaitsCredential: Bool?
    /// What links give, by their ids; see ``allGroups``.
    var providerGrants: [String: ProviderGrant]?

    /// What blocks by e-mail are compared with.
    var canonicalEmail: String { EmailAddress(email)?.canonical ?? email.lowercased() }
}

/// Whose a user name is. The row stays when the user is renamed or deleted, so that the name is never given to a
/// second account.
struct NameRecord: JSONRecord, Equatable {
    var userID: String
    var current: Bool
}

/// A user as it is shown.
public struct User: Encodable, Sendable, Equatable {
    /// The opaque id that never changes.
    public let id: String
    /// As it was given, the domain in lower case.
    public let email: String
    /// What `Remote-User` carries.
    public let username: String
    /// The display name, or empty.
    public let name: String
    /// All that count, sorted.
    public let groups: [String]
    /// Those of them that providers give, sorted; they come again with the next sign-in there.
    public let providerGroups: [String]
    /// Those that the operator has given.
    public let ownGroups: [String]
    /// A service account has only API keys.
    public let service: Bool
    /// Nothing of a disabled user is accepted.
    public let disabled: Bool
    /// When the account was made.
    public let createdAt: Timestamp
    /// The address was shown to be the user's, or the operator vouches for it: before that there is no account.
    public let emailVerified = true
    /// Of mails about the account; nil: as whoever causes them.
    public let language: MailLanguage?

    init(_ record: UserRecord) {
        id = record.id
        email = record.email
        username = record.username
        name = record.name
        groups = record.allGroups
        providerGroups = record.groupsOfProviders
        ownGroups = record.groups
        service = record.service
        disabled = record.disabled
        createdAt = record.createdAt
        language = record.language
    }

    private enum CodingKeys: String, CodingKey {
        case id, email, username, name, groups, service, disabled, language
        case createdAt = "created_at"
        case emailVerified = "email_verified"
        case providerGroups = "provider_groups"
        case ownGroups = "own_groups"
    }
}

/// An account to be made.
public struct NewUser: Sendable {
    /// Unique among all accounts, compared without regard to case.
    public var email: String
    /// The user name; nil: the e-mail address.
    public var username: String?
    /// The display name.
    public var name: String
    /// The groups.
    public var groups: [String]
    /// A service account has only API keys and no person's sign-in.
    public var service: Bool
    /// A hash of ``PasswordHasher``, or one of another system that `PasswordHash` can parse; nil: no password.
    public var passwordHash: String?
    /// Of mails until the first sign-in on a page; nil: as whoever causes them.
    public var language: MailLanguage?

    /// All fields, named as they are.
    public init(
        email: String, username: String? = nil, name: String = "", groups: [String] = [], service: Bool = false,
        passwordHash: String? = nil, language: MailLanguage? = nil
    ) {
        self.passwordHash = passwordHash
        self.language = language
        self.email = email
        self.username = username
        self.name = name
        self.groups = groups
        self.service = service
    }
}

/// What disabling or deleting an account has ended.
public struct CutReport: Encodable, Sendable, Equatable {
    /// The account as it is now (as it last was, when deleted).
    public let user: User
    /// Ids of the sessions that ended, access tokens with them.
    public internal(set) var sessions: [String] = []
    /// Ids of the API keys that were revoked.
    public internal(set) var apiKeys: [String] = []
    /// How many of the sessions were behind tokens: those of API clients and of the operator.
    public internal(set) var tokens = 0
    /// How many links in mails that could still be used.
    public internal(set) var links = 0
    /// The e-mail address that no foreign identity may come with any more, also when its account is gone; nil when it is
    /// not blocked.
    public internal(set) var blockedEmail: String?

    private enum CodingKeys: String, CodingKey {
        case user, sessions, tokens, links
        case apiKeys = "api_keys"
        case blockedEmail = "blocked_email"
    }
}
