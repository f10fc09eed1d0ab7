internal import Accounts
internal import Core
internal import FoundationEssentials

/// The body of an operation: an object with the members that are documented.
protocol APIBody: Decodable {
    associatedtype CodingKeys: CodingKey & CaseIterable

    /// There may be other members besides, which are passed over. Not where one that is misspelt would have restricted
    /// what is asked for.
    static var isOpen: Bool { get }
}

extension APIBody {
    static var isOpen: Bool { true }
}

extension PortalRequest {
    /// The body.
    ///
    /// - Throws: `415` for another type, `400` for something else than `type`.
    func body<Body: APIBody>(_ type: Body.Type) throws(PortalFailure) -> Body { try bodies(type).body }

    /// The body, and the same as it stands there.
    func bodies<Body: APIBody>(_ type: Body.Type) throws(PortalFailure) -> (body: Body, text: JSONBody) {
        let text = try object()
        let known = Body.CodingKeys.allCases.map(\.stringValue)
        if !Body.isOpen { try requireOnly(known, in: text) }
        do {
            return (try JSONDecoder().decode(type, from: Data(local.body)), text)
        } catch {
            throw Self.otherwise(error)
        }
    }

    private func object() throws(PortalFailure) -> JSONBody {
        try requireJSON()
        guard let body = JSONBody(local.body) else {
            throw .invalidRequest("The body is no JSON object (RFC 8259: UTF-8, no name twice).")
        }
        return body
    }

    private func requireOnly(_ known: [String], in body: JSONBody) throws(PortalFailure) {
        guard let unknown = body.names.first(where: { !known.contains($0) }) else { return }
        let shown = String(unknown.unicodeScalars.prefix(40).map { $0.properties.isWhitespace ? " " : Character($0) })
        throw .invalidRequest(
            "\"\(shown)\" is not known here; this takes \(known.joined(separator: ", ")).")
    }

    /// Says which member it is, never what stood there.
    private static func otherwise(_ error: any Error) -> PortalFailure {
        let path: [any CodingKey]? =
            switch error as? DecodingError {
            case .keyNotFound(let key, let context): context.codingPath + [key]
            case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
                context.codingPath
            case nil: nil
            @unknown default: nil
            }
        guard let name = path?.first?.stringValue else {
            return .invalidRequest("The body is not the JSON that is documented.")
        }
        return .invalidRequest("\(name) is missing, or not what is documented.")
    }
}

extension PortalFailure {
    static func invalidRequest(_ detail: String) -> PortalFailure {
        PortalFailure(status: 400, code: "invalid_request", detail: detail)
    }
}
