internal import Accounts
internal import Core
internal import FoundationEssentials
internal import Hummingbird
internal import Logging

/// One request with everything that a handler may look at.
struct PortalRequest: Sendable {
    let local: LocalRequest
    let configuration: Configuration
    let portal: PortalResponder
    let language: Language
    let now: Timestamp
    /// What the variable parts of the path are in this request.
    var parameters: [String: String] = [:]

    var operations: AccountOperations { configuration.operations }

    var cookies: PortalCookies { PortalCookies(settings: configuration.cookies, isSecure: configuration.isSecure) }

    /// Comes from a page of the portal itself.
    var isSameOrigin: Bool { SameOrigin.holds(local, origin: configuration.publicURL) }

    /// From where an operation is asked for.
    func client(deviceName: String? = nil) -> Client {
        Client(
            address: local.clientAddress, userAgent: local.header("user-agent"), deviceName: deviceName,
            deviceToken: local.deviceToken, requestID: local.requestID, language: language.mail)
    }

    /// Who is signed in on these pages; nil for nobody, and for whoever shows something else than the portal's cookie.
    func signedIn() -> Principal? {
        guard let identity = local.identity, case .session? = identity.origin else { return nil }
        return try? operations.principal(identity)
    }

    /// The fields of a query; none when it cannot be read.
    func query() -> FormFields { local.query.flatMap { FormFields(parsing: Array($0.utf8)) } ?? FormFields() }

    /// The fields of a form.
    ///
    /// - Throws: when the body is something else.
    func form() throws(PortalFailure) -> FormFields {
        let type = local.header("content-type")?.lowercased().prefix { $0 != ";" && $0 != " " }
        guard type == "application/x-www-form-urlencoded", let fields = FormFields(parsing: local.body) else {
            throw PortalFailure(status: 400, code: "invalid_request", detail: "The body is no form.")
        }
        return fields
    }

    /// 256 bits as text.
    func secret() throws(PortalFailure) -> String {
        do {
            return Base64URL.encode(try portal.services.random(32))
        } catch {
            throw PortalFailure(status: 503, code: "store_unavailable", detail: "The system gave no random bytes.")
        }
    }
}

/// Why a request got no other answer.
struct PortalFailure: Error, Equatable {
    var status: Int
    /// For programs.
    var code: String
    /// For people; never a secret.
    var detail: String
    var retryAfter: Duration?
    /// The word for it in the list that all of Gatehouse has; nil: there is none.
    var reason: Reason?

    /// What an operation's failure is in HTTP.
    init(_ error: AccountsError) {
        let status =
            switch error.code {
            case .notFound: 404
            case .exists: 409
            case .invalid, .invalidCode: 400
            case .refused, .twoFactorRequired, .emailNotVerified, .userDisabled, .accountLocked,
                .reauthenticationRequired:
                403
            case .invalidCredentials, .invalidToken: 401
            case .rateLimited: 429
            case .noMasterKey, .wrongMasterKey, .damaged, .store: 503
            }
        self.init(
            status: status, code: error.code.reason,
            detail: status == 503 ? "The store cannot be used at the moment." : error.message,
            retryAfter: error.retryAfter ?? (status == 503 ? .seconds(5) : nil))
        if error.code == .accountLocked { reason = .userLocked }
    }

    init(status: Int, code: String, detail: String, retryAfter: Duration? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        self.retryAfter = retryAfter
        reason = Reason(rawValue: code)
    }

    static let notFound = PortalFailure(status: 404, code: "not_found", detail: "There is nothing here.")
    static let crossSite = PortalFailure(
        status: 403, code: "cross_site", detail: "This did not come from a page of this site.")

    /// Of another session, or of before a restart.
    static let formExpired = PortalFailure(
        status: 403, code: "form_expired", detail: "This form is too old: load its page again.")

    /// The reason, and `Retry-After` in seconds, never less than one.
    var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let reason { headers.append((Answer.reasonHeader, reason.rawValue)) }
        if let retryAfter {
            headers.append(("Retry-After", "\(max(1, (retryAfter.wholeMilliseconds + 999) / 1000))"))
        }
        return headers
    }
}

/// Carries a request through the router.
struct PortalContext: RequestContext {
    struct Source: RequestContextSource {
        let logger: Logger
        let request: PortalRequest
    }

    var coreContext: CoreRequestContextStorage
    let request: PortalRequest

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        request = source.request
    }
}
