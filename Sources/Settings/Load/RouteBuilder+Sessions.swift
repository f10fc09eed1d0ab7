import Core
import Policy

/// Routes that send people to sign in, and would do so for ever: the browser never shows them the session's cookie.
extension RouteBuilder {
    func checkSessions(_ drafts: [Draft]) {
        // A domain that was refused is complained about once, and not once more for every route.
        guard let publicURL, sessions.cookieDomain != nil || !hasCookieDomain else { return }
        for draft in drafts where draft.route.policy.credentialsFrom.contains(.cookie) {
            let rules = draft.rules.filter(\.rule.isForSessions)
            guard let rule = rules.first(where: \.rule.asksForSessions) ?? rules.first else { continue }
            checkHosts(of: draft, rule, publicURL)
            checkScheme(of: draft, rule, publicURL)
        }
    }

    private var hasCookieDomain: Bool { builder.root.map("sessions").map("cookie").has("domain") }

    /// A route for any host is one for that of `public_url` too.
    private func checkHosts(of draft: Draft, _ rule: PlacedRule, _ publicURL: Origin) {
        for (text, value) in draft.view.texts("host", allowEmptyList: false) ?? [] {
            guard let host = Self.canonical(text), !sessions.cookieReaches(host, portal: publicURL.host) else {
                continue
            }
            let found =
                "\(rule.view.path) is for people who have signed in, but browsers do not send the session's cookie to "
                + "\(host); expected \(expected(host, publicURL)), or credentials_from without cookie"
            // Without a domain those who come may all be programs with keys and tokens, whom nobody sends round in circles.
            if sessions.cookieDomain == nil, !rule.rule.asksForSessions {
                reading.warning(value.location, value.path, found)
            } else {
                reading.problem(value.location, value.path, found)
            }
        }
    }

    /// Of canonical hosts; nil for what is no host, which somebody else complains about.
    private static func canonical(_ text: String) -> String? {
        guard text.hasPrefix("*.") else { return HostName.canonical(configured: text) }
        return HostName.canonical(configured: String(text.dropFirst(2))).map { "*." + $0 }
    }

    private func expected(_ host: String, _ publicURL: Origin) -> String {
        if let domain = sessions.cookieDomain { return "a host below \(domain), the sessions.cookie.domain" }
        if let domain = CookieDomain.above([publicURL.host, host]) { return "sessions.cookie.domain: \(domain)" }
        return "one domain of two labels or more above it and \(publicURL.host), as sessions.cookie.domain"
    }

    /// On https the cookie is `Secure`.
    private func checkScheme(of draft: Draft, _ rule: PlacedRule, _ publicURL: Origin) {
        guard publicURL.scheme == .https, draft.route.policy.scheme == .http else { return }
        reading.problem(
            draft.view.location(of: "scheme"), Problem.join(draft.view.path, "scheme"),
            "\(rule.view.path) is for people who have signed in, but with a public_url of https browsers send the "
                + "session's cookie by https alone; expected https, or credentials_from without cookie")
    }
}

extension RuleDescription {
    /// A session passes it, and who has none is sent to sign in. A preflight never carries a cookie; a session holds no
    /// scope; what is in the shadow sends nobody anywhere.
    fileprivate var isForSessions: Bool {
        guard !preflight, !shadow, case .allow(let requirement) = effect else { return false }
        switch requirement {
        case .everyone: return false
        case .signedIn: return true
        case .anyOf(let maps):
            return maps.contains { $0.scopes == nil && ($0.credentials?.contains(.session) ?? true) }
        }
    }

    /// It names the session and no other kind of credential.
    fileprivate var asksForSessions: Bool {
        guard isForSessions, case .allow(.anyOf(let maps)) = effect else { return false }
        return maps.contains { $0.scopes == nil && $0.credentials == [.session] }
    }
}
