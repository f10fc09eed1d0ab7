public import Core
internal import JOSE

/// Whom a provider has brought: verified, about this flow, and accepted. Known by issuer and subject alone; the rest is
/// what the provider says of them today.
public struct ProvedPerson: Sendable {
    /// The provider's id.
    public var provider: String
    public var issuer: String
    public var subject: String
    /// Nil when absent or malformed.
    public var email: EmailAddress?
    /// The provider says that the person reads that mailbox, and is one whose word on that domain counts.
    public var emailIsVerified: Bool
    /// The display name, or empty.
    public var name: String
    /// With our prefix; those that cannot be written are left out.
    public var groups: [String]
    /// The session at the provider (`sid`).
    public var sessionID: String?
    /// When the person last proved themselves there (`auth_time`); nil: the provider does not say.
    public var authenticatedAt: Timestamp?
    /// What the provider gave besides, where an app is to have it.
    public var tokens: GrantedTokens?

    /// The longest list that is kept.
    static let maximumGroups = 256
}

/// What one document of the provider's says of a person: an ID token, or the user info.
struct PersonDocument {
    private let value: (String) -> JSONValue?

    init(_ claims: Claims) {
        value = { claims.value($0) }
    }

    init(_ object: JSONValue) {
        value = { object[$0] }
    }

    subscript(name: String) -> JSONValue? { value(name) }

    /// The address with what is said of it in the same document: a mark of one document says nothing of another's
    /// address.
    func email(_ kind: ProviderConfiguration.Kind) -> (address: EmailAddress, isVerified: Bool)? {
        guard let address = value("email")?.string.flatMap({ EmailAddress($0) }) else { return nil }
        switch kind {
        case .gitlab, .oidc, .github, .oauth2: return (address, value("email_verified")?.bool == true)
        case .apple:
            // Apple writes the word as often as the value.
            let mark = value("email_verified")
            return (address, mark?.bool == true || mark?.string == "true")
        case .google:
            // Google verifies any address once. It speaks for its own mailboxes, and for a domain whose Workspace the
            // person is in; whoever has left a company may still have a Google account with its address.
            let owns = address.domain == "gmail.com" || address.domain == "googlemail.com"
            let isHosted = value("hd")?.string?.lowercased() == address.domain
            return (address, value("email_verified")?.bool == true && (owns || isHosted))
        case .microsoft:
            // Anybody may write any address into their own tenant; only this optional claim says that the tenant owns
            // the domain.
            let mark = value("xms_edov")
            return (address, mark?.bool == true || mark?.integer == 1 || mark?.string == "1")
        }
    }

    /// A display name that can be kept.
    var name: String? { Self.usableName(value("name")?.string) }

    /// What can be kept of a name: nobody is kept out by what their provider calls them.
    static func usableName(_ name: String?) -> String? {
        guard let name = name.map(VisibleText.stripped), name.utf8.count <= 128 else { return nil }
        return name
    }

    /// A text or a list of texts.
    func texts(_ name: String) -> [String]? {
        guard let value = value(name) else { return nil }
        return value.string.map { [$0] } ?? value.strings
    }
}
