internal import Accounts
internal import Core
internal import FoundationEssentials

/// The JSON API: the same operations for programs. What can change something wants a JSON body, and by cookie also the
/// proof that one of our own pages sent it.
extension PortalRequest {
    // MARK: What comes in

    /// Whoever asks, for a look.
    func principal() throws -> Principal {
        do {
            return try operations.principal(local.identity)
        } catch {
            var failure = PortalFailure(error)
            failure.asksForToken = error.code == .invalidToken
            if failure.asksForToken, local.identity == nil {
                let reason = local.credentialRefusal ?? .signInRequired
                failure.reason = reason
                failure.code = reason.rawValue
            }
            throw failure
        }
    }

    /// Whoever asks, for a change.
    func writer() throws -> Principal {
        let principal = try principal()
        if principal.usesCookie, !isSameOrigin { throw PortalFailure.crossSite }
        return principal
    }

    /// The body.
    ///
    /// - Throws: `415` for another type, `400` for something else than `type`.
    func body<Body: Decodable>(_ type: Body.Type) throws(PortalFailure) -> Body {
        try requireJSON()
        do {
            return try JSONDecoder().decode(type, from: Data(local.body))
        } catch {
            throw PortalFailure(
                status: 400, code: "invalid_request", detail: "The body is not the JSON that is documented.")
        }
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

    private static var apiHeaders: [(name: String, value: String)] {
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
        if failure.asksForToken {
            let isRefused = local.identity != nil || local.credentialRefusal != nil
            headers.append(
                ("WWW-Authenticate", "Bearer realm=\"gatehouse\"" + (isRefused ? ", error=\"invalid_token\"" : "")))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return Answer(
            status: failure.status, headers: headers, body: (try? encoder.encode(document)).map(Array.init) ?? [])
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
