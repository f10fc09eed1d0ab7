internal import Accounts
internal import Core
internal import Federation

/// What a sign-in at a provider is for.
enum FlowPurpose: Sendable {
    /// A session, and on to where the person wanted to go.
    case signIn(ReturnAddress?)
    /// One more way to sign in, for the account of this session.
    case link(session: String)
    /// This session is to be proved once more.
    case prove(session: String, ReturnAddress?)
    /// Tokens for an API client that holds the verifier to this challenge.
    case tokens(challenge: String)
}

/// A browser that is away at a provider.
struct FederatedFlow: Sendable {
    let flow: AuthorizationFlow
    /// As it was configured then: after a reload that has changed it the flow is nobody's.
    let provider: Provider
    let purpose: FlowPurpose
    /// The keyed digest of the cookie of the browser that began.
    let browser: [UInt8]
    /// What the provider's form said that the person wants to be called: kept here, since an address stands in the
    /// browser's history and in the logs of whatever is in front of us.
    var name: String?

    /// How long a person may take at the provider.
    static let lifetime = Duration.seconds(600)
}

/// Whom a provider has brought for an API client, until that client comes for its tokens.
struct FederatedCode: Sendable {
    let identity: FederatedIdentity
    /// As it was configured then.
    let provider: Provider
    let challenge: String
    /// From then on it is good no longer, whatever its sign-in still lacks.
    let endsAt: Timestamp

    static let lifetime = Duration.seconds(60)
    /// How long a client that has shown its verifier may take to ask for a second factor.
    static let longestLifetime = Duration.seconds(600)
}

/// Whom a provider has brought for an API client, until they have said themselves that it is they who want that.
struct FederatedConfirmation: Sendable {
    let identity: FederatedIdentity
    /// As it was configured then.
    let provider: Provider
    let challenge: String
    /// The keyed digest of the cookie of the browser that is asked.
    let browser: [UInt8]

    static let lifetime = Duration.seconds(300)
}

/// All that wait. One a process: a reload keeps it.
struct FederatedState: Sendable {
    /// By `state`.
    let flows = BoundedTable<FederatedFlow>()
    /// By what the form of the question holds.
    let confirmations = BoundedTable<FederatedConfirmation>()
    /// By the code.
    let codes = BoundedTable<FederatedCode>()

    func sweep(at now: Timestamp) {
        flows.sweep(at: now)
        confirmations.sweep(at: now)
        codes.sweep(at: now)
    }
}

extension FederatedIdentity {
    /// - Parameter broughtAt: before the provider was asked who it is.
    init(_ person: ProvedPerson, broughtAt: Timestamp) {
        self.init(
            provider: person.provider, issuer: person.issuer, subject: person.subject, email: person.email,
            emailIsVerified: person.emailIsVerified, name: person.name, groups: person.groups,
            sessionID: person.sessionID, authenticatedAt: person.authenticatedAt, broughtAt: broughtAt)
        tokens = person.tokens
    }
}
