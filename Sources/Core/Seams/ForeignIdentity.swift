/// What a verified JWT of a configured issuer said, or a client certificate, before the local accounts have had their
/// say. Immutable; one object lives as long as its token is remembered, so that what is known of it can be found by the
/// object alone.
public final class ForeignIdentity: Sendable {
    /// How a foreign identity is matched with a local account (`match_users`).
    public enum Matching: String, Hashable, Sendable, CaseIterable {
        case none, email, user
    }

    /// The ``issuerID`` of client certificates and, with a colon, what their user names begin with. No issuer is called
    /// so, and none names such a user.
    public static let certificates = "cert"

    /// By what it was proved: a JWT or a client certificate.
    public let kind: Identity.Kind
    /// The issuer's id in the configuration, or ``certificates``.
    public let issuerID: String
    /// The `iss` claim; the name of a certificate's issuer.
    public let issuer: String
    /// The `sub` claim (or the one that `claims.user` names), without prefix; a digest of a certificate's names.
    public let subject: String
    /// The prefixed user name.
    public let user: String
    /// The e-mail claim; nil when absent or malformed.
    public let email: EmailAddress?
    /// The issuer is trusted with e-mails or said `email_verified: true`.
    public let emailVerified: Bool
    /// The display name, or empty.
    public let name: String
    /// Prefixed groups; those that were malformed or named `gatehouse-…` are left out.
    public let groups: [String]
    /// The scopes that the token carries; nil when it carries none.
    public let scopes: [String]?
    /// `amr` of the token.
    public let amr: [String]
    /// `auth_time` of the token.
    public let authenticatedAt: Timestamp?
    /// `exp`, with what is given to the issuer's clock added.
    public let expiresAt: Timestamp
    /// `jti`, or the first 16 hexadecimal characters of the token's SHA-256.
    public let credentialID: String
    /// How the operator wants it matched.
    public let matching: Matching
    /// What vouches for it, known only to the room that verified it; nil where nothing is known of that.
    public let evidence: (any AnyObject & Sendable)?

    /// All fields, named as they are.
    public init(
        kind: Identity.Kind = .jwt, issuerID: String, issuer: String, subject: String, user: String,
        email: EmailAddress?, emailVerified: Bool,
        name: String, groups: [String], scopes: [String]?, amr: [String], authenticatedAt: Timestamp?,
        expiresAt: Timestamp, credentialID: String, matching: Matching, evidence: (any AnyObject & Sendable)? = nil
    ) {
        self.kind = kind
        self.issuerID = issuerID
        self.issuer = issuer
        self.subject = subject
        self.user = user
        self.email = email
        self.emailVerified = emailVerified
        self.name = name
        self.groups = groups
        self.scopes = scopes
        self.amr = amr
        self.authenticatedAt = authenticatedAt
        self.expiresAt = expiresAt
        self.credentialID = credentialID
        self.matching = matching
        self.evidence = evidence
    }
}

/// What the local accounts say of a foreign identity: blocked, a disabled local user, or an identity to go on with.
/// One instance a loop; asked in every request, so it keeps its own cache by the store's last transaction.
public protocol ForeignStanding: AnyObject {
    /// Never `notMine` and never `pending`. The identity object stays the same (`===`) while nothing changed.
    func standing(of foreign: ForeignIdentity, at now: Timestamp) -> CredentialReading
}
