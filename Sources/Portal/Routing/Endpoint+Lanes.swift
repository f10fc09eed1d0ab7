internal import Core

/// What waits for more than ourselves; all other endpoints are prompt.
extension Endpoint {
    /// A password is compared or made there, which takes its turn among all others.
    static let withPassword: [(method: String, path: String)] = [
        ("POST", "/.auth/login"), ("POST", "/.auth/register"), ("POST", "/.auth/verify-email/{token}"),
        ("POST", "/.auth/reset-password/{token}"), ("POST", "/.auth/account/security"),
        ("POST", "/.auth/api/login"), ("POST", "/.auth/api/reauthenticate"), ("POST", "/.auth/api/register"),
        ("POST", "/.auth/api/email/verify"), ("POST", "/.auth/api/password/reset"),
        ("POST", "/.auth/api/password/change"), ("POST", "/.auth/api/passkeys/login"),
    ]

    /// A provider is asked there, which may be slow or hang.
    static let withProvider: [(method: String, path: String)] = [
        ("GET", "/.auth/oauth/{provider}"), ("GET", "/.auth/oauth/{provider}/callback"),
        ("POST", "/.auth/oauth/{provider}/logout"), ("GET", "/.auth/api/oauth/{provider}"),
    ]

    private static let lanes: [(endpoint: Endpoint, lane: LocalLane)] = all.compactMap { endpoint in
        func isIn(_ list: [(method: String, path: String)]) -> Bool {
            list.contains { $0 == (endpoint.method, endpoint.path) }
        }
        if isIn(withPassword) { return (endpoint, .password) }
        return isIn(withProvider) ? (endpoint, .provider) : nil
    }

    static func lane(of request: LocalRequest) -> LocalLane {
        // A refusal's page stands in for whatever was asked for.
        guard request.refusal == nil else { return .prompt }
        let given = segments(of: request.path)
        return lanes.first { $0.endpoint.method == request.method && $0.endpoint.takes(given) }?.lane ?? .prompt
    }
}
