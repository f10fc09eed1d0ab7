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
        /// Nil: nothing could be looked at without signing somebody in.
        var good: Bool?
        /// What was looked at.
        var checked: [ProviderExamination.Part] = []
        /// What is wrong, where something is.
        var problem: String?
        var authorizationEndpoint: String?
        var tokenEndpoint: String?
        var userInfoEndpoint: String?
        var endSessionEndpoint: String?
        var keys: Int?

        enum CodingKeys: String, CodingKey {
            case provider, issuer, good, checked, problem, keys
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
        let settings = try providerSettings(invocation, id)
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
            if finding.good == false { bad += 1 }
            try output.value(finding) { text(of: finding) }
        }
        guard bad == 0 else {
            throw CommandFailure(.failed, "\(bad) of \(chosen.count) providers cannot be used as they are")
        }
    }

    /// Secrets are read only where one is to be tried: whoever may not read them can check the others.
    private static func providerSettings(_ invocation: Invocation, _ id: String?) throws -> Settings {
        let settings = try invocation.load(secrets: .leave).settings
        let signs = settings.login.providers.contains { $0.signingKey != nil && (id == nil || $0.id == id) }
        return signs ? try invocation.load(secrets: .read).settings : settings
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
            finding.checked = found.checked
            if found.checked.isEmpty { finding.good = nil }
        } catch {
            finding.good = false
            finding.problem = "\(error)"
        }
        return finding
    }

    private static func text(of finding: Finding) -> String {
        if let problem = finding.problem { return "\(finding.provider) (\(finding.issuer)): \(problem)" }
        var found = ["good"]
        if let keys = finding.keys { found.append("\(keys) keys") }
        if finding.checked.contains(.clientSecret) { found.append("the client secret can be made") }
        if finding.good == nil { found = ["not checked", "it says nothing of itself that could be fetched"] }
        return """
            \(finding.provider) (\(finding.issuer)): \(found.joined(separator: ", "))
              people go to \(finding.authorizationEndpoint ?? ""), codes to \(finding.tokenEndpoint ?? "")
              to be registered there: \(finding.redirectURI)
            """
    }
}
