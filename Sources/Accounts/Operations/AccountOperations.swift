internal import Core
internal import Cryptography
internal import LMDB

/// What people do with their own accounts: sign in, register, change a password, … Pages and the JSON API are two faces
/// of these. A value; a reload makes another one with the same store, hasher and limiter.
///
/// Each operation suspends while a password is hashed and until its one transaction, with its audit event and its mail,
/// is on disk. All throw ``AccountsError``, whose code says which answer it is.
public struct AccountOperations: Sendable {
    /// What the operator wants.
    public struct Configuration: Sendable {
        /// `login.registration`.
        public enum Registration: String, Sendable, CaseIterable {
            /// Accounts are made by the operator.
            case closed
            /// Who has an invitation (an account that waits for its first password).
            case invited
            /// Everybody who reads their mail.
            case open
        }

        public var sessions = SessionPolicy()
        public var tokens = TokenPolicy()
        public var lockout = LockoutPolicy()
        public var limits = LimitPolicy()
        public var keys = KeyPolicy()
        /// The scopes that owners may give their keys (`api_keys.scopes`).
        public var keyScopes: [String] = []
        /// The routes' names, for keys that are bound to some; nil: any name goes.
        public var routeNames: Set<String>?
        public var registration = Registration.closed
        /// `login.password.enabled`.
        public var passwordIsEnabled = true
        public var passwords = PasswordPolicy()
        /// `login.magic_link.enabled`.
        public var magicLinkIsEnabled = false
        public var magicLinkLifetime = Duration.seconds(900)
        /// `login.two_factor: required`.
        public var secondFactorIsRequired = false
        /// `login.passkeys`.
        public var passkeys = PasskeyPolicy()
        /// `login.trust_device`; nil: every sign-in is asked for its second factor.
        public var trustsDevicesFor: Duration?
        /// `branding.name`: what authenticators call this site.
        public var siteName = "Gatehouse"
        /// The issuers of `login.providers`.
        public var providerIssuers: Set<String> = []
        /// Names of this site, which make no good password: `branding.name`, the host of `public_url`.
        public var siteWords: [String] = []

        /// The defaults of the configuration file.
        public init() {}
    }

    /// How long a link that shows an address to be somebody's is good.
    static let verificationLifetime = Duration.seconds(86_400)
    /// One to set a password anew, or to lift a lock that the operator hands over.
    static let resetLifetime = Duration.seconds(3600)
    /// One to set the first password of an account that the operator made.
    static let invitationLifetime = Duration.seconds(7 * 86_400)

    let store: Store
    let hasher: PasswordHasher
    let limiter: RateLimiter
    let breaches: BreachCheck?
    let configuration: Configuration

    /// - Parameters:
    ///   - store: with master keys, for tokens and for links in mails.
    ///   - hasher: the process's.
    ///   - limiter: the process's.
    ///   - breaches: nil: passwords are not compared with published ones.
    public init(
        store: Store, hasher: PasswordHasher, limiter: RateLimiter, breaches: BreachCheck? = nil,
        configuration: Configuration = Configuration()
    ) {
        self.store = store
        self.hasher = hasher
        self.limiter = limiter
        self.breaches = breaches
        self.configuration = configuration
    }

    /// `login.password.min_length`, in Unicode code points: a form says it before it is refused.
    public var shortestPassword: Int { configuration.passwords.minimumLength }

    var now: Timestamp { store.clock.now() }

    /// A bounded, printable text from outside; what it names may not exist.
    ///
    /// - Parameters:
    ///   - missing: what it is to the person that there is nothing.
    ///   - malformed: what it is that it is too long, or not all seen.
    /// - Throws: `invalid`.
    static func checked(
        _ text: String, what: String, maximumBytes: Int = 254, missing: UserProblem, malformed: UserProblem
    ) throws(AccountsError) -> String {
        let blanks: Set<Character> = [" ", "\t", "\r", "\n"]
        let trimmed = String(text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
        guard !trimmed.isEmpty else { throw AccountsError(.invalid, "The \(what) is missing.", missing) }
        return try validatedLabel(trimmed, what: what, maximumBytes: maximumBytes, malformed)
    }

    static func email(_ text: String) throws(AccountsError) -> EmailAddress {
        let checked = try checked(
            text, what: "e-mail address", missing: .emailMalformed, malformed: .emailMalformed)
        guard let email = EmailAddress(checked) else {
            throw AccountsError(.invalid, "\(quoted(checked)) is no e-mail address.", .emailMalformed)
        }
        return email
    }

    /// The digest of a token from a link or a client; what is none of ours by its form is like one that was used.
    static func digest(_ token: String) throws(AccountsError) -> [UInt8] {
        guard let digest = SecretText.digest(presented: token) else { throw AccountsError.invalidLink }
        return digest
    }

    /// - Throws: `refused` where there are no passwords.
    func requirePasswords() throws(AccountsError) {
        guard configuration.passwordIsEnabled else {
            throw AccountsError(.refused, "Passwords are not in use here: sign in another way.")
        }
    }

    /// Holds a new password against the policy, and against published ones where the operator wants that.
    ///
    /// - Throws: `invalid` with the ``PasswordProblem`` as cause.
    func requireAcceptable(
        _ password: SecretBytes, for person: PasswordPolicy.Person
    ) async throws(AccountsError) {
        var person = person
        person.site = configuration.siteWords
        var problem = configuration.passwords.problem(with: password, of: person)
        if problem == nil, let breaches, await breaches.isBreached(password) { problem = .breached }
        if let problem {
            throw AccountsError(.invalid, configuration.passwords.explanation(of: problem), cause: problem)
        }
    }

    /// A hash of a new password that the policy takes.
    ///
    /// - Throws: as ``requireAcceptable(_:for:)``; `rateLimited` when too many wait.
    func hash(
        _ password: SecretBytes, for person: PasswordPolicy.Person, from client: Client
    ) async throws(AccountsError) -> String {
        try await requireAcceptable(password, for: person)
        return try await hashAccepted(password, from: client)
    }

    /// A hash of a password that the policy has taken already: it is not asked about twice.
    func hashAccepted(_ password: SecretBytes, from client: Client) async throws(AccountsError) -> String {
        do {
            return try await hasher.hash(password, for: client.site).text
        } catch {
            throw Self.wrapping(error)
        }
    }

    /// - Parameter stored: nil where there is nothing to be held against; it takes as long.
    /// - Throws: `rateLimited` when too many wait: nothing was looked at then.
    func verify(
        _ password: SecretBytes, against stored: String?, from client: Client
    ) async throws(AccountsError) -> PasswordVerdict {
        do {
            return try await hasher.verify(password, against: stored, for: client.site)
        } catch {
            throw Self.wrapping(error)
        }
    }

    private static func wrapping(_ error: any Error) -> AccountsError {
        switch error {
        case PasswordHasherError.busy(let wait):
            AccountsError(.rateLimited, "Too many sign in at this moment: try again soon.", retryAfter: wait)
        case PasswordHasherError.unusable:
            AccountsError(.invalid, "This is no password: at most 1024 bytes of text without control characters.")
        default: AccountsError.wrapping(error)
        }
    }
}

extension UserRecord {
    var person: PasswordPolicy.Person { PasswordPolicy.Person(email: email, username: username, name: name) }
}
