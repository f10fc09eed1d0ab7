import Core
import HTTPWire
import NIOCore
import Policy

/// What a refusal says, before it is bytes. There is none with a status of success.
struct RefusalAnswer: Equatable {
    /// The scheme that `WWW-Authenticate` asks for.
    enum Authentication: Equatable {
        case none
        /// No credential of ours came.
        case missing
        /// One came and is not valid (RFC 6750 section 3.1).
        case invalid
        /// It is valid and its scopes do not do.
        case scope
        /// A second factor, or a fresh one, is missing (RFC 9470 section 3).
        case stepUp
    }

    let status: Int
    let reason: Reason?
    let verdict: Verdict
    var authentication = Authentication.none
    /// The seconds of `Retry-After`; nil: none is said.
    var retryAfter: Int64?

    /// The same, with the time after which it is worth another try.
    func repeatable(after wait: Duration) -> RefusalAnswer {
        var answer = self
        answer.retryAfter = max(1, (wait.wholeMilliseconds + 999) / 1000)
        return answer
    }

    init(status: Int, reason: Reason?, verdict: Verdict, authentication: Authentication = .none) {
        self.status = (400...599).contains(status) ? status : 403
        self.reason = reason
        self.verdict = verdict
        self.authentication = authentication
    }

    /// What a refusing verdict is inline.
    init(inline verdict: Verdict, _ reason: Reason, state: CredentialState) {
        switch verdict {
        case .signIn:
            self.init(status: 401, reason: reason, verdict: verdict, authentication: Self.asking(state))
        case .stepUp: self.init(status: 401, reason: reason, verdict: verdict, authentication: .stepUp)
        case .allow, .deny:
            let status = Self.status(of: reason)
            let authentication: Authentication =
                status == 401 ? .invalid : reason == .scopeMissing ? .scope : .none
            self.init(status: status, reason: reason, verdict: .deny, authentication: authentication)
        }
    }

    /// What a refusing verdict is to a proxy that understands only 401 and 403.
    init(narrow verdict: Verdict, _ reason: Reason, state: CredentialState) {
        let answer = RefusalAnswer(inline: verdict, reason, state: state)
        self.init(
            status: answer.status == 401 ? 401 : 403, reason: reason, verdict: answer.verdict,
            authentication: answer.authentication)
    }

    /// What a refusing verdict is to a proxy that hands every status on to the client.
    init(handedOn verdict: Verdict, _ reason: Reason, state: CredentialState) {
        let answer = RefusalAnswer(inline: verdict, reason, state: state)
        // A browser answers 421 by asking again on another connection: the proxy's, where nothing is misdirected.
        self.init(
            status: answer.status == 421 ? 403 : answer.status, reason: reason, verdict: answer.verdict,
            authentication: answer.authentication)
    }

    /// What a description gets that cannot be judged, from a proxy that hands every status on.
    init(ofDescription reason: Reason) {
        let status =
            switch reason {
            case .noRoute: 403
            // The only thing of a description that can be is its target.
            case .tooLarge: 414
            default: Self.status(of: reason)
            }
        self.init(status: (403...414).contains(status) ? status : 400, reason: reason, verdict: .deny)
    }

    private static func asking(_ state: CredentialState) -> Authentication {
        if case .refused = state { .invalid } else { .missing }
    }

    static func status(of reason: Reason) -> Int {
        switch reason {
        case .noRoute: 421
        case .noRule, .ruleDenied, .groupMissing, .scopeMissing, .keyRestricted, .loginLoop, .emailNotVerified: 403
        case .signInRequired, .factorMissing, .tooOld, .credentialUnknown, .credentialExpired, .credentialRevoked,
            .credentialsDisagree, .userDisabled, .userLocked:
            401
        case .descriptionMissing, .descriptionConflict, .pathRefused: 400
        case .peerUntrusted, .noUpstream: 404
        case .methodRefused: 405
        case .tooLarge: 413
        case .upstreamFailed: 502
        case .storeUnavailable: 503
        case .rateLimited: 429
        }
    }
}

/// The words of answers.
enum AnswerText {
    static func phrase(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 303: "See Other"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        // A client takes the number alone (RFC 9112 section 4).
        default: ""
        }
    }

    /// The same where no reason has a word for it.
    static func detail(status: Int) -> StaticString {
        status == 404 ? "There is nothing here." : "The request was refused."
    }

    /// One sentence for whoever reads the problem document.
    static func detail(_ reason: Reason) -> StaticString {
        switch reason {
        case .noRoute: "No route of this server takes this host and path."
        case .noRule: "No rule of the route matches this request."
        case .ruleDenied: "A rule of the route denies this request."
        case .signInRequired: "This needs a credential."
        case .groupMissing: "The rule wants a group that this user is not in."
        case .scopeMissing: "The rule wants a scope that this credential does not have."
        case .factorMissing: "The rule wants a second factor."
        case .tooOld: "The sign-in is too long ago for this rule."
        case .credentialUnknown: "The credential is not known or not valid."
        case .credentialExpired: "The credential has expired."
        case .credentialRevoked: "The credential was revoked."
        case .credentialsDisagree: "The request carries credentials that disagree."
        case .userDisabled: "The account is disabled."
        case .userLocked: "The account is locked for a while."
        case .keyRestricted: "The key may not be used for this request."
        case .descriptionMissing: "The proxy did not describe the original request."
        case .descriptionConflict: "The descriptions of the original request differ."
        case .peerUntrusted: "The peer may not ask here."
        case .pathRefused: "The path can be read in more than one way."
        case .methodRefused: "The method is not served."
        case .tooLarge: "The request is too large."
        case .loginLoop: "The sign-in goes round in circles."
        case .noUpstream: "The route has no application behind it."
        case .upstreamFailed: "The application did not answer properly."
        case .storeUnavailable: "The store cannot be read."
        case .rateLimited: "Too many requests."
        case .emailNotVerified: "The e-mail address is not verified."
        }
    }
}
