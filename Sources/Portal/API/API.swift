internal import Accounts
internal import Core
internal import FoundationEssentials

/// The JSON API: the same operations for programs. A body is JSON and nothing else. By cookie whatever changes something
/// wants the proof that one of our own pages sent it and the type of JSON, with a body or without: no form can send that.
extension PortalRequest {
    // MARK: What comes in

    /// Whoever asks, for a look.
    func principal() throws -> Principal {
        if let refused = local.refusedCredential { throw PortalFailure(credential: refused) }
        do {
            return try operations.principal(local.identity)
        } catch {
            guard error.code == .invalidToken, local.identity == nil else { throw PortalFailure(error) }
            throw PortalFailure(
                status: 401, code: Reason.signInRequired.rawValue, detail: error.message)
        }
    }

    /// Whoever asks, for a change.
    func writer() throws -> Principal {
        let principal = try principal()
        if principal.usesCookie {
            guard isSameOrigin else { throw PortalFailure.crossSite }
            try requireJSON()
        }
        return principal
    }

    func requireJSON() throws(PortalFailure) {
        let type = local.header("content-type")?.lowercased().prefix { $0 != ";" && $0 != " " }
        guard type == "application/json" else {
            throw PortalFailure(
                status: 415, code: "unsupported_media_type", detail: "Content-Type must be application/json.")
        }
    }

    // MARK: What goes out

    func json(_ value: some Encodable, status: Int = 200) throws -> Answer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return Answer(
            status: status, headers: Self.apiHeaders + [(name: "Content-Type", value: "application/json")],
            body: Array(try encoder.encode(value)))
    }

    static let noContent = Answer(status: 204, headers: apiHeaders)

    /// Asked for; what became of it nobody is told.
    static let accepted = Answer(status: 202, headers: apiHeaders)

    static var apiHeaders: [(name: String, value: String)] {
        [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    }

    /// A problem document (RFC 9457).
    func problem(_ failure: PortalFailure) -> Answer {
        let document = ProblemDocument(
            title: ProblemDocument.title(of: failure.status), status: failure.status, detail: failure.detail,
            code: failure.code, requestID: local.requestID)
        var headers = Self.apiHeaders
        headers.append(("Content-Type", "application/problem+json"))
        headers += failure.headers
        // Every 401 has a challenge (RFC 9110 section 15.5.2); that a token was no good only where one was sent as such.
        if failure.status == 401 {
            let isRefused =
                local.refusedCredential != nil && failure.reason != nil
                || failure.code == "invalid_token" && local.identity != nil
            headers.append(
                ("WWW-Authenticate", "Bearer realm=\"gatehouse\"" + (isRefused ? ", error=\"invalid_token\"" : "")))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return Answer(
            status: failure.status, headers: headers, body: (try? encoder.encode(document)).map(Array.init) ?? [])
    }
}

extension PortalFailure {
    /// A credential of ours came, and is not good.
    init(credential reason: Reason) {
        switch reason {
        case .credentialsDisagree:
            self.init(
                status: 401, code: reason.rawValue, detail: "The request carries cookies of different sessions.")
        case .storeUnavailable:
            self.init(
                status: 503, code: reason.rawValue, detail: "The store cannot be used at the moment.",
                retryAfter: .seconds(5))
        default:
            self.init(
                status: 401, code: reason.rawValue, detail: "The credential is not good, or not any more.")
        }
    }
}

private struct ProblemDocument: Encodable {
    var type = "about:blank"
    var title: String
    var status: Int
    var detail: String
    var code: String
    var requestID: String

    private enum CodingKeys: String, CodingKey {
        case type, title, status, detail, code
        case requestID = "request_id"
    }

    static func title(of status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 415: "Unsupported Media Type"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }
}
