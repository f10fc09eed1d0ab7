internal import Core
internal import Federation
internal import Logging
internal import Outbound
internal import Settings

extension Commands {
    /// What `provider check` found, one a provider.
    private struct Finding: Encodable {
        var provider: String
        var issuer: String
        var redirectURI: String
        var good: Bool
        /// What is wrong, where something is.
        var problem: String?
        var authorizationEndpoint: String?
        var tokenEndpoint: String?
        var userInfoEndpoint: String?
        var endSessionEndpoint: String?
        var keys: Int?

        enum CodingKeys: String, CodingKey {
            case provider, issuer, good, problem, keys
            case redirectURI = "redirect_uri"
            case authorizationEndpoint = "authorization_endpoint"
            case tokenEndpoint = "token_endpoint"
            case userInfoEndpoint = "userinfo_endpoint"
            case endSessionEndpoint = "end_session_endpoint"
        }
    }

    /// `provider check`.
    ///
    /// - Parameter id: nil: all that are configured.
    public static func checkProviders(_ invocation: Invocation, _ id: String?) async throws {
        let settings = try invocation.load(secrets: .leave).settings
        let quiet = Logger(label: "gatehouse") { _ in SwiftLogNoOpLogHandler() }
        let fetcher = Fetcher(threads: 4, capacity: 64)
        defer { fetcher.stop() }
        let providers = Providers(
            settings.providerConfigurations(), fetcher: fetcher, clock: SystemClock(), log: quiet)
        let chosen = providers.all.filter { id == nil || $0.configuration.id == id }
        if let id, chosen.isEmpty {
            let known = providers.all.map(\.configuration.id).joined(separator: ", ")
            throw CommandFailure(
                .notFound, "there is no provider \(id) in login.providers" + (known.isEmpty ? "" : ": \(known)"))
        }
        let output = Output(json: invocation.json)
        var bad = 0
        for provider in chosen {
            let uri = settings.login.providers.first { $0.id == provider.configuration.id }?
                .redirectURI(settings.publicURL)
            let finding = await examined(provider, redirectURI: uri ?? "")
            if !finding.good { bad += 1 }
            try output.value(finding) { text(of: finding) }
        }
        guard bad == 0 else {
            throw CommandFailure(.failed, "\(bad) of \(chosen.count) providers cannot be used as they are")
        }
    }

    private static func examined(_ provider: Provider, redirectURI: String) async -> Finding {
        var finding = Finding(
            provider: provider.configuration.id, issuer: provider.configuration.issuer, redirectURI: redirectURI,
            good: true)
        do throws(FlowFailure) {
            let found = try await provider.examine()
            finding.authorizationEndpoint = found.authorizationEndpoint
            finding.tokenEndpoint = found.tokenEndpoint
            finding.userInfoEndpoint = found.userInfoEndpoint
            finding.endSessionEndpoint = found.endSessionEndpoint
            finding.keys = found.keys
        } catch {
            finding.good = false
            finding.problem = "\(error)"
        }
        return finding
    }

    private static func text(of finding: Finding) -> String {
        if let problem = finding.problem { return "\(finding.provider) (\(finding.issuer)): \(problem)" }
        let keys = finding.keys.map { ", \($0) keys" } ?? ""
        return """
            \(finding.provider) (\(finding.issuer)): good\(keys)
              people go to \(finding.authorizationEndpoint ?? ""), codes to \(finding.tokenEndpoint ?? "")
              to be registered there: \(finding.redirectURI)
            """
    }
}
