internal import Accounts

/// The fields of a form that are wrong, by what a template asks for to mark them (`aria-invalid`): only what the person
/// has to mend is marked, so that nobody is sent to a field that was right.
enum FieldMark: String {
    case identifier = "bad_identifier"
    case password = "bad_password"
    /// A new password.
    case new = "bad_new"
    case code = "bad_code"
    case email = "bad_email"
    case name = "bad_name"
    case routes = "bad_routes"

    /// What an operation's failure is about; empty where no field is to blame: a limit, a lock, the store.
    static func of(_ error: AccountsError) -> [FieldMark] {
        switch error.code {
        // Nobody is told which of them it is.
        case .invalidCredentials: return [.identifier, .password]
        case .invalidCode: return [.code]
        case .invalid where error.cause is PasswordProblem: return [.new]
        case .invalid: return error.problem.map(of) ?? []
        case .notFound, .exists, .refused, .noMasterKey, .wrongMasterKey, .damaged, .store, .invalidToken,
            .twoFactorRequired, .emailNotVerified, .userDisabled, .accountLocked, .rateLimited,
            .reauthenticationRequired:
            return []
        }
    }

    private static func of(_ problem: UserProblem) -> [FieldMark] {
        switch problem {
        case .identifierMissing: [.identifier]
        case .emailMalformed, .emailUnchanged: [.email]
        case .nameMalformed, .nameMissing: [.name]
        case .routesMissing, .routeUnknown: [.routes]
        case .tooManyKeys, .tooManyPasskeys, .lastWay, .factorRequired, .authenticatorMissing: []
        }
    }
}

extension PortalRequest {
    /// What a page shows of a failure beside its form: the sentence, and which fields it is about.
    func values(of error: AccountsError) -> [String: Any] {
        var values: [String: Any] = ["error": sentence(for: error)]
        for mark in FieldMark.of(error) { values[mark.rawValue] = true }
        return values
    }

    /// A page with a form that is shown again, told what was wrong.
    ///
    /// - Parameter status: nil: the failure's own.
    func page(
        _ template: String, title: String, status: Int? = nil, refusing error: AccountsError, _ values: [String: Any]
    ) -> Answer {
        let failure = PortalFailure(error)
        var answer = page(
            template, title: title, status: status ?? failure.status,
            values.merging(self.values(of: error)) { own, _ in own })
        answer.headers += failure.headers
        return answer
    }
}
