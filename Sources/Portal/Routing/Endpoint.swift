internal import HTTPTypes
internal import Hummingbird

/// One method of one path, with what answers it.
struct Endpoint: Sendable {
    typealias Handler = @Sendable (PortalRequest) async throws -> Answer

    enum Face: Sendable {
        case page, api
    }

    let method: String
    /// Variable parts in braces, as in `/.auth/api/sessions/{id}`.
    let path: String
    let face: Face
    let handler: Handler
    private let segments: [Substring]

    init(method: String, path: String, face: Face, handler: @escaping Handler) {
        self.method = method
        self.path = path
        self.face = face
        self.handler = handler
        segments = path.split(separator: "/")
    }

    static func page(_ method: String, _ path: String, _ handler: @escaping Handler) -> Endpoint {
        Endpoint(method: method, path: "/.auth" + path, face: .page, handler: handler)
    }

    static func api(_ method: String, _ path: String, _ handler: @escaping Handler) -> Endpoint {
        Endpoint(method: method, path: "/.auth/api" + path, face: .api, handler: handler)
    }

    /// Everything that there is.
    static let all: [Endpoint] =
        pages + links + registration + magicLinks + account + activity + factors + passkeys + providers + keys
        + operations + activityOperations + keyOperations + factorOperations + passkeyOperations + providerOperations

    /// What a request's path is to be held against ``takes(_:)`` as.
    static func segments(of path: String) -> ArraySlice<Substring> {
        path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    }

    /// Whether a path is one of this endpoint, whatever the method.
    func takes(_ given: ArraySlice<Substring>) -> Bool {
        segments.count == given.count
            && zip(segments, given).allSatisfy { $0.utf8.first == UInt8(ascii: "{") ? !$1.isEmpty : $0 == $1 }
    }

    /// The first of those at a path, for a log line.
    static func first(at path: String) -> Endpoint? {
        let given = segments(of: path)
        return all.first { $0.takes(given) }
    }

    private var variables: Int { path.utf8.count { $0 == UInt8(ascii: "{") } }

    /// The methods that a path has; empty for one that there is not.
    static func methods(of path: String) -> [String] {
        let given = segments(of: path)
        let taking = all.filter { $0.takes(given) }
        // A path that is written out is no value of a variable part.
        let fewest = taking.map(\.variables).min()
        let own = taking.filter { $0.variables == fewest }.map(\.method)
        return own.contains("GET") ? own + ["HEAD"] : own
    }

    /// The router of all of them.
    static func router() -> RouterResponder<PortalContext> {
        let router = Router(context: PortalContext.self)
        for endpoint in all {
            guard let method = HTTPRequest.Method(endpoint.method) else { continue }
            router.on(RouterPath(endpoint.path), method: method) { _, context -> Answer in
                var request = context.request
                for (name, value) in context.parameters { request.parameters[String(name)] = String(value) }
                return try await endpoint.answer(request)
            }
        }
        return router.buildResponder()
    }

    /// The handler's answer, or what its failure is on this face.
    private func answer(_ request: PortalRequest) async throws -> Answer {
        do {
            return try await handler(request)
        } catch {
            return request.portal.answer(to: error, of: request, face: face)
        }
    }
}
