internal import Core
internal import FoundationEssentials
internal import Outbound
internal import Settings

extension Commands {
    /// `check-config`.
    public static func checkConfiguration(_ invocation: Invocation, strict: Bool) throws {
        let loaded = try invocation.load(secrets: .read)
        for warning in loaded.warnings { Output.standardError("warning: \(warning)\n") }
        if strict, !loaded.warnings.isEmpty {
            throw CommandFailure(.usage, "\(loaded.warnings.count) warnings, and --strict makes them errors")
        }
        struct Answer: Encodable {
            let configuration: String
            let routes: Int
            let warnings: [String]
            let redirectURIs: [String: String]

            private enum CodingKeys: String, CodingKey {
                case configuration, routes, warnings
                case redirectURIs = "redirect_uris"
            }
        }
        let settings = loaded.settings
        let uris = settings.login.providers.map { ($0.id, $0.redirectURI(settings.publicURL)) }
        let answer = Answer(
            configuration: invocation.configurationPath, routes: loaded.settings.routes.count,
            warnings: loaded.warnings.map { "\($0)" },
            redirectURIs: Dictionary(uris, uniquingKeysWith: { first, _ in first }))
        try Output(json: invocation.json).value(answer) {
            (["\(answer.configuration) is good: \(answer.routes) routes."]
                + uris.map { "to be registered at \($0.0): \($0.1)" }).joined(separator: "\n")
        }
    }

    /// `health`.
    public static func health(_ invocation: Invocation) async throws {
        let settings = try invocation.load(secrets: .leave).settings
        guard case .tcp(let host, let port) = settings.monitorListener else {
            throw CommandFailure(.usage, "monitor_listen is a unix socket; ask it with curl --unix-socket")
        }
        let name = host.contains(":") ? "[\(host)]" : host
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let response: FetchResponse
        do {
            response = try await fetcher.fetch(
                FetchRequest(url: "http://\(name):\(port)/readyz", timeout: .seconds(5)))
        } catch {
            throw CommandFailure(.failed, "no answer at \(name):\(port): \(error)")
        }
        let text = String(decoding: response.body, as: UTF8.self)
        guard response.status == 200 else { throw CommandFailure(.failed, "not ready: \(text)") }
        struct Answer: Encodable {
            let ready: Bool
        }
        try Output(json: invocation.json).value(Answer(ready: true)) { "ready" }
    }
}
