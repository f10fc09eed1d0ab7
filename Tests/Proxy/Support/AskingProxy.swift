/// A proxy that asks before it forwards, as far as its question goes.
enum AskingProxy: String, CaseIterable, Sendable {
    case nginx, traefik, caddy, envoy, haproxy

    /// Those that hand an answer's status and head on to the client.
    static let handingOn = [AskingProxy.traefik, .caddy, .envoy, .haproxy]

    /// The question about `method` of `target` on `host`, as it goes over the wire.
    ///
    /// - Parameters:
    ///   - lines: of the client.
    ///   - query: behind the address of the endpoint, where that is the operator's.
    func question(
        _ method: String, _ host: String, _ target: String, _ lines: [String] = [], query: String = "",
        address: String = "203.0.113.7"
    ) -> String {
        let own = ["X-Forwarded-For: \(address)"]
        switch self {
        case .nginx:
            return Harness.request(
                "GET", "/.auth/check/nginx\(query)",
                own + lines + ["X-Original-URL: https://\(host)\(target)", "X-Original-Method: \(method)"],
                host: "gatehouse.internal")
        case .envoy: return Harness.request(method, "/.auth/check/envoy\(target)", own + lines, host: host)
        case .traefik, .caddy, .haproxy:
            return Harness.request(
                self == .haproxy ? "HEAD" : "GET", "/.auth/check/\(rawValue)\(query)",
                own + lines + [
                    "X-Forwarded-Method: \(method)", "X-Forwarded-Host: \(host)", "X-Forwarded-Uri: \(target)",
                ],
                host: self == .caddy ? host : "gatehouse.internal")
        }
    }

    /// Names, in lower case, that it puts its own in the place of.
    var replaces: [String] {
        switch self {
        case .nginx: ["x-original-url", "x-original-method", "x-forwarded-for"]
        case .envoy: ["x-forwarded-for"]
        case .traefik, .caddy, .haproxy:
            ["x-forwarded-method", "x-forwarded-host", "x-forwarded-uri", "x-forwarded-for"]
        }
    }
}

extension Harness {
    /// Asks as `proxy` would.
    func ask(
        _ proxy: AskingProxy, _ method: String, _ host: String, _ target: String, _ lines: [String] = [],
        query: String = ""
    ) async throws -> Answer {
        try await send(
            proxy.question(method, host, target, lines, query: query),
            hasBody: proxy != .haproxy && !(proxy == .envoy && method == "HEAD"))
    }

    /// As above, about a GET at the usual host.
    func ask(_ proxy: AskingProxy, _ target: String, _ lines: [String] = []) async throws -> Answer {
        try await ask(proxy, "GET", "wiki.example.com", target, lines)
    }
}
