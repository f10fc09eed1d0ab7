import Core
import Policy

/// Reads routes and rule sets, and turns what Policy finds in them into problems with a place.
final class RouteBuilder {
    /// Where a rule came from, for findings about it.
    struct PlacedRule {
        let rule: RuleDescription
        let view: MapView
    }

    /// A route with the places of its parts.
    struct Draft {
        var route: Settings.Route
        let view: MapView
        var rules: [PlacedRule]
        /// The name of the rule set that they are from.
        let ruleSet: String?
        /// Host and paths could be read, so that it can be compared with others.
        let isComparable: Bool
    }

    let builder: Builder
    let publicURL: Origin?
    let upstreams: [(upstream: Settings.Upstream, location: Document.Location, path: String)]
    let trusted: Settings.TrustedProxies
    let issuers: [Settings.Issuer]
    /// The ids of `login.providers`.
    let providers: [String]
    /// Those of them whose access tokens open nothing.
    let tokenless: Set<String>
    let sessions: Settings.Sessions
    /// A listener has `client_ca`.
    let asksForCertificates: Bool
    var ruleSets: [String: [PlacedRule]] = [:]
    var reading: Reading { builder.reading }

    private var globalNames: HeaderNames = .preset(.remote)
    private var globalAssertion = true

    init(
        builder: Builder, publicURL: Origin?,
        upstreams: [(upstream: Settings.Upstream, location: Document.Location, path: String)],
        trusted: Settings.TrustedProxies, issuers: [Settings.Issuer], providers: [String],
        tokenless: Set<String>, sessions: Settings.Sessions, asksForCertificates: Bool
    ) {
        self.builder = builder
        self.publicURL = publicURL
        self.upstreams = upstreams
        self.trusted = trusted
        self.issuers = issuers
        self.providers = providers
        self.tokenless = tokenless
        self.sessions = sessions
        self.asksForCertificates = asksForCertificates
    }

    /// All routes, those of included files first.
    func build() -> [Settings.Route] {
        let headers = builder.root.map("identity_headers")
        globalNames = headerNames(headers) ?? .preset(.remote)
        globalAssertion = headers.boolean("assertion") ?? true
        readRuleSets()
        let views = builder.all.flatMap { $0.maps("routes") }
        if views.isEmpty, !builder.all.contains(where: { $0.has("routes") }) {
            reading.problem(builder.root.location, "routes", "is missing; expected at least one route")
        } else if views.isEmpty, reading.problems.isEmpty {
            reading.problem(builder.root.location(of: "routes"), "routes", "expected at least one route")
        }
        let drafts = withoutIdleRules(views.map(readRoute))
        let comparable = drafts.filter(\.isComparable)
        report(withoutSharedHopes(Snapshot.findings(in: comparable.map(\.route.policy)), comparable), comparable)
        checkSessions(drafts)
        warnAboutUpstreams(drafts)
        return drafts.map(\.route)
    }

    // MARK: One route

    private func readRoute(_ view: MapView) -> Draft {
        let before = reading.problems.count
        let hosts = view.texts("host", allowEmptyList: false)?.map(\.text)
        let paths = view.texts("paths", allowEmptyList: false)?.map(\.text)
        let name = readName(view, hosts: hosts)
        let isDamaged = ["host", "paths", "name"].contains { view.node?.child($0)?.isDamaged == true }
        let isComparable = reading.problems.count == before && !isDamaged
        let rules = readRules(view)
        var policy = RouteDescription(name: name, hosts: hosts, paths: paths, rules: rules.map(\.rule))
        policy.credentialsFrom = CredentialSources(
            (view.choices("credentials_from", allowEmptyList: false) ?? []).compactMap { .init(configured: $0) })
        policy.challenge = view.choice("challenge", of: Challenge.self) ?? .bearer
        policy.scheme =
            view.choice("scheme", of: Scheme.self) ?? (publicURL?.scheme == .http ? .http : .https)
        policy.audience = view.filled("audience")?.text
        policy.groupsShown = view.texts("groups_shown")?.map(\.text) ?? []
        policy.keepInPath = KeptInPath(
            (view.choices("keep_in_path", allowEmptyList: true) ?? []).compactMap { .init(configured: $0) })
        policy.ignorePathCase = view.boolean("ignore_path_case") ?? false
        policy.origins = readOrigins(view)
        let offered = readOfferedProviders(view)
        policy.forwardsAccessToken = readForwardAccessToken(view, policy.credentialsFrom, offered)
        let headers = view.map("identity_headers")
        policy.headers = (headerNames(headers) ?? globalNames).layout
        policy.assertion = headers.boolean("assertion") ?? globalAssertion
        let upstream = readUpstream(view)
        let route = Settings.Route(
            policy: policy, upstream: upstream, stripPrefix: readStripPrefix(view, paths: paths ?? []),
            forwardsCredential: view.boolean("forward_credential") ?? true, maximumBody: readMaximumBody(view),
            providers: offered)
        return Draft(
            route: route, view: view, rules: rules, ruleSet: view.value("rules")?.text, isComparable: isComparable)
    }

    private func readName(_ view: MapView, hosts: [String]?) -> String {
        if let name = view.filled("name") { return name.text }
        guard let host = hosts?.first else {
            if !view.has("host"), !view.has("name") {
                reading.problem(
                    view.location, Problem.join(view.path, "name"), "is missing, and there is no host to take it from")
            }
            return ""
        }
        if host.hasPrefix("*.") {
            return HostName.canonical(configured: String(host.dropFirst(2))).map { "*." + $0 } ?? host
        }
        return HostName.canonical(configured: host) ?? host
    }

    private func readUpstream(_ view: MapView) -> String? {
        guard let (name, value) = view.filled("upstream") else { return nil }
        let names = upstreams.map(\.upstream.name)
        guard names.contains(name) else {
            let known = names.isEmpty ? "there are none" : "there are \(names.joined(separator: ", "))"
            let suggestion = Nearest.suggestion(for: name, among: names)
            reading.problem(
                value.location, value.path,
                "found \(Document.Node.quote(name)), expected the name of an upstream (\(known))\(suggestion)")
            return nil
        }
        return name
    }

    private func readStripPrefix(_ view: MapView, paths: [String]) -> String {
        guard let (text, value) = view.scalar("strip_prefix"), !text.isEmpty else { return "" }
        let segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"*?#%;\\\"<>".utf8.contains($0) }
        guard text.hasPrefix("/"), isPlain, !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            reading.refuse(value, expected: "a path like /wiki: plain segments, no / at the end")
            return ""
        }
        if !view.has("upstream") {
            reading.warning(value.location, value.path, "has no effect without an upstream")
        }
        for path in paths where path != text && !path.hasPrefix(text + "/") {
            reading.warning(
                value.location, value.path,
                "the route also takes \(Document.Node.quote(path)), where there is no \(text) to take off")
        }
        return text
    }

    private func readMaximumBody(_ view: MapView) -> UInt64? {
        guard let (text, value) = view.filled("max_body"), text != "none" else { return nil }
        guard let size = Measures.size(text) else {
            reading.refuse(value)
            return nil
        }
        return size
    }

    private func warnAboutUpstreams(_ drafts: [Draft]) {
        let used = Set(drafts.compactMap(\.route.upstream))
        // A route that names an unknown one probably meant one of these.
        guard reading.problems.isEmpty else { return }
        for entry in upstreams where !used.contains(entry.upstream.name) {
            reading.warning(entry.location, entry.path, "no route uses this upstream")
        }
    }
}

/// Which headers tell the app who asks.
enum HeaderNames {
    case preset(IdentityHeaders.Preset)
    case own(IdentityHeaders.Layout)

    var layout: IdentityHeaders.Layout {
        switch self {
        case .preset(let preset): .preset(preset)
        case .own(let layout): layout
        }
    }
}

extension RouteBuilder {
    /// The header names of an `identity_headers` map; nil where it says nothing about them.
    func headerNames(_ view: MapView) -> HeaderNames? {
        let direct = ownNames(view)
        guard let value = view.value("preset") else { return direct.map { .own($0) } }
        if direct != nil, value.isWritten {
            reading.problem(
                value.location, value.path, "either a preset or names of your own (user, email, name, groups), not both"
            )
            return nil
        }
        if let direct { return .own(direct) }
        if case .map = value.node.content { return ownNames(view.map("preset")).map { .own($0) } }
        guard let text = value.text else {
            reading.refuse(value)
            return nil
        }
        guard let preset = IdentityHeaders.Preset(rawValue: text) else {
            reading.refuse(value, text, among: ["remote", "x-auth-request", "x-forwarded"])
            return nil
        }
        return .preset(preset)
    }

    private func ownNames(_ view: MapView) -> IdentityHeaders.Layout? {
        var names: [(field: IdentityHeaders.Field, name: String)] = []
        var hasProblem = false
        for field in [IdentityHeaders.Field.user, .email, .name, .groups] {
            guard let (name, value) = view.filled(field.rawValue) else { continue }
            if let message = IdentityHeaders.Layout.problem(withHeaderName: name) {
                reading.problem(value.location, value.path, message)
                hasProblem = true
            } else {
                names.append((field, name))
            }
        }
        guard !names.isEmpty, !hasProblem else { return nil }
        do throws(PolicyError) {
            return try IdentityHeaders.Layout(names)
        } catch {
            reading.problem(view.location, view.path, error.message)
            return nil
        }
    }
}
