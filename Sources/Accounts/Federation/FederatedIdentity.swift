public import Core

/// Whom a provider has brought: its ID token was verified, and it may bring this person. Known by issuer and subject
/// alone; an e-mail address never says who somebody is.
public struct FederatedIdentity: Sendable {
    /// The provider's id in the configuration.
    public var provider: String
    public var issuer: String
    public var subject: String
    public var email: EmailAddress?
    /// The provider says that the person reads that mailbox.
    public var emailIsVerified: Bool
    public var name: String
    /// With prefix; what is no group name, or one of Gatehouse's own, is left out when they are kept.
    public var groups: [String]
    /// The session at the provider, if it has a name.
    public var sessionID: String?
    /// When the person last proved themselves to the provider; nil: nobody knows, so it was not lately.
    public var authenticatedAt: Timestamp?
    /// When the provider brought them here; nil: now.
    public var broughtAt: Timestamp?
    /// What the provider gave besides, to be kept for the session that begins by it.
    public var tokens: GrantedTokens?

    /// All fields, named as they are.
    public init(
        provider: String, issuer: String, subject: String, email: EmailAddress?, emailIsVerified: Bool,
        name: String = "", groups: [String] = [], sessionID: String? = nil, authenticatedAt: Timestamp? = nil,
        broughtAt: Timestamp? = nil
    ) {
        self.provider = provider
        self.issuer = issuer
        self.subject = subject
        self.email = email
        self.emailIsVerified = emailIsVerified
        self.name = name
        self.groups = groups
        self.sessionID = sessionID
        self.authenticatedAt = authenticatedAt
        self.broughtAt = broughtAt
    }

    /// The row in table `social_accounts`: a digest, since an issuer and a subject may be longer than a key.
    var key: [UInt8] { BlockSubject.subject(issuer: issuer, subject: subject).key }

    /// As ``FederatedSession/place``.
    var place: String? { sessionID.map { FederatedSession.place(issuer: issuer, sessionID: $0) } }

    /// For the audit log.
    var metadata: [String: AuditValue] {
        var metadata: [String: AuditValue] = [
            "method": .string("oauth"), "provider": .string(provider), "issuer": .string(issuer),
            "subject": .string(subject),
        ]
        if let email { metadata["email"] = .string(email.description) }
        return metadata
    }
}

/// What the operator lets a provider do.
public struct FederationTerms: Sendable, Equatable {
    /// `create_users`.
    public var createsUsers: Bool
    /// `claim_accounts`, in lower case.
    public var claimedDomains: [String]
    /// `groups.add`.
    public var addedGroups: [String]
    /// Its word on an address is enough for an account that the operator made and nobody has used.
    public var linksUnused: Bool

    /// Nothing unless said.
    public init(
        createsUsers: Bool = false, claimedDomains: [String] = [], addedGroups: [String] = [], linksUnused: Bool = false
    ) {
        self.createsUsers = createsUsers
        self.claimedDomains = claimedDomains
        self.addedGroups = addedGroups
        self.linksUnused = linksUnused
    }
}
