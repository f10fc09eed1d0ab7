/// Why an operation on the accounts was not done. The message says what to do next and never holds a secret.
public struct AccountsError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        /// The user, key, session or block does not exist.
        case notFound
        /// The e-mail address, user name or block is there already.
        case exists
        /// A value is not of the form that is needed.
        case invalid
        /// The value is well formed, but the operation is not allowed in this state.
        case refused
        /// The operation needs the master key and the store was opened without it.
        case noMasterKey
        /// Something sealed opens with none of the configured master keys.
        case wrongMasterKey
        /// What is stored contradicts itself or cannot be read.
        case damaged
        /// The store could not read or write.
        case store
        /// The user name, the address or the password is wrong; nobody is told which.
        case invalidCredentials
        /// A link, a refresh token or a session that is not, or not any more, good.
        case invalidToken
        /// A code of a second factor is wrong, or was used already; nobody is told which.
        case invalidCode
        /// The password is right and a second factor is needed.
        case twoFactorRequired
        /// The password is right and the address was never shown to be the user's.
        case emailNotVerified
        /// The password is right and the account is disabled or blocked.
        case userDisabled
        /// Too many failures; see ``AccountsError/retryAfter``.
        case accountLocked
        /// Too many requests; see ``AccountsError/retryAfter``.
        case rateLimited
        /// The person must prove themselves again first.
        case reauthenticationRequired
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong and how to mend it.
    public let message: String
    /// What the person can mend; nil: nothing, or no page of theirs leads here.
    public let problem: UserProblem?
    /// The error below, if one caused this.
    public let cause: (any Error)?
    /// When it may be tried again, for `accountLocked` and `rateLimited`.
    public let retryAfter: Duration?
    /// With `twoFactorRequired` on pages: the sign-in as far as it has come.
    public let partial: PartialSignIn?

    /// - Parameter message: for people; must not hold a secret.
    public init(
        _ code: Code, _ message: String, _ problem: UserProblem? = nil, retryAfter: Duration? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.problem = problem
        self.cause = cause
        self.retryAfter = retryAfter
        partial = nil
    }

    init(twoFactorRequired message: String, _ partial: PartialSignIn?) {
        code = .twoFactorRequired
        self.message = message
        problem = nil
        cause = nil
        retryAfter = nil
        self.partial = partial
    }

    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }

    static let invalidCredentials = AccountsError(
        .invalidCredentials, "The user name, the e-mail address or the password is wrong.")
    static let emailNotVerified = AccountsError(
        .emailNotVerified, "The e-mail address is not verified yet: follow the link that was mailed to it.")
    static let invalidCode = AccountsError(.invalidCode, "The code is wrong, or was used already.")
    static let invalidLink = AccountsError(
        .invalidToken, "This link was used already, is too old or is not complete: ask for a new one.")

    /// `error` as an error of this room; anything that is not one yet is a failure of the store.
    static func wrapping(_ error: any Error) -> AccountsError {
        if let own = error as? AccountsError { return own }
        return AccountsError(.store, "The store did not do it; nothing was changed.", cause: error)
    }
}

extension AccountsError: Equatable {
    public static func == (left: AccountsError, right: AccountsError) -> Bool {
        left.code == right.code
    }
}

extension AccountsError.Code {
    /// The word for it in the audit log and in the API.
    public var reason: String {
        switch self {
        case .notFound: "not_found"
        case .exists: "exists"
        case .invalid: "invalid_request"
        case .refused: "refused"
        case .noMasterKey, .wrongMasterKey, .damaged, .store: "store_unavailable"
        case .invalidCredentials: "invalid_credentials"
        case .invalidToken: "invalid_token"
        case .invalidCode: "invalid_code"
        case .twoFactorRequired: "two_factor_required"
        case .emailNotVerified: "email_not_verified"
        case .userDisabled: "user_disabled"
        case .accountLocked: "account_locked"
        case .rateLimited: "rate_limited"
        case .reauthenticationRequired: "reauthentication_required"
        }
    }
}
