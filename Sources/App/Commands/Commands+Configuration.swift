internal import Core
internal import FoundationEssentials
internal import Outbound
internal import Settings

extension Commands {
    /// What `check-config` found.
    private struct Findings: Encodable {
        let configuration: String
        var routes: Int?
        var errors: [String] = []
        var warnings: [String] = []
        var redirectURIs: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case configuration, routes, errors, warnings
            case redirectURIs = "redirect_uris"
        }
    }

    /// `check-config`. With `--json` what is wrong is in the document, too.
    public static func checkConfiguration(_ invocation: Invocation, strict: Bool) throws {
        let output = Output(json: invocation.json)
        var findings = Findings(configuration: invocation.configurationPath)
        let loaded: Settings.Loaded
        do {
            loaded = try invocation.load(secrets: .read)
        } catch let error as SettingsError {
            findings.errors = error.problems.map(\.description)
            findings.warnings = error.warnings.map(\.description)
            if output.json { try output.value(findings) { "" } }
            throw error
        }
        for warning in loaded.warnings { Output.standardError("warning: \(warning)\n") }
        let settings = loaded.settings
        let uris = settings.login.providers.map { ($0.id, $0.redirectURI(settings.publicURL)) }
        findings.routes = settings.routes.count
        findings.warnings = loaded.warnings.map(\.description)
        findings.redirectURIs = Dictionary(uris, uniquingKeysWith: { first, _ in first })
        let isRefused = strict && !loaded.warnings.isEmpty
        if output.json || !isRefused {
            try output.value(findings) {
                (["\(findings.configuration) is good: \(counted(settings.routes.count, "route"))."]
                    + uris.map { "to be registered at \($0.0): \($0.1)" }).joined(separator: "\n")
            }
        }
        if isRefused {
            throw CommandFailure(
                .usage, "\(counted(loaded.warnings.count, "warning")), and --strict takes none for good")
        }
    }

    private static func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// `health`.
    public static func health(_ invocation: Invocation) async throws {
        let settings = try invocation.load(secrets: .leave).settings
        let (status, body) = try await readiness(at: settings.monitorListener)
        guard status == 200 else { throw CommandFailure(.failed, "not ready: \(body)") }
        struct Answer: Encodable {
            let ready: Bool
        }
        try Output(json: invocation.json).value(Answer(ready: true)) { "ready" }
    }

    /// What `/readyz` answers.
    private static func readiness(at monitor: Settings.ListenAddress) async throws -> (status: Int, body: String) {
        switch monitor {
        case .unix(let path): return try UnixQuestion.get("/readyz", from: path, seconds: 5)
        case .systemd(let name):
            throw CommandFailure(.usage, "the socket systemd:\(name) has no address here; ask it with curl")
        case .tcp(let host, let port):
            let name = host.contains(":") ? "[\(host)]" : host
            do {
                let response = try await Fetcher(threads: 1, capacity: 1).fetch(
                    FetchRequest(url: "http://\(name):\(port)/readyz", timeout: .seconds(5)))
                return (response.status, String(decoding: response.body, as: UTF8.self))
            } catch {
                throw CommandFailure(.failed, "no answer at \(name):\(port): \(error)")
            }
        }
    }
}
