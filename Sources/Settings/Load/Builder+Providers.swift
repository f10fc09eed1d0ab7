import Core
import Policy

/// Reads who may say who people are.
extension Builder {
    /// `login.providers`.
    func readProviders() -> [Settings.Provider] {
        var result: [Settings.Provider] = []
        for view in root.map("login").maps("providers") {
            guard let provider = readProvider(view) else { continue }
            let path = Problem.join(view.path, "id")
            if result.contains(where: { $0.id == provider.id }) {
                reading.problem(view.location(of: "id"), path, "there are two providers of this id")
            }
            if let other = result.first(where: { $0.issuer == provider.issuer }) {
                reading.problem(
                    view.location, view.path,
                    "is at the same issuer as \(other.id): people are known by issuer and subject, so whom one of them "
                        + "refuses could come in by the other")
            }
            result.append(provider)
        }
        return result
    }

    private func readProvider(_ view: MapView) -> Settings.Provider? {
        let id = readProviderID(view)
        if !view.has("kind") { _ = view.required("kind") }
        let kind = view.choice("kind", of: Settings.Provider.Kind.self)
        let clientID = view.required("client_id")
        if let clientID, !clientID.text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) {
            reading.refuse(clientID.value, expected: "printable ASCII without space")
        }
        let name = view.filled("name")?.text
        let secret = readClientSecret(view, kind)
        let signingKey = kind == .apple ? readSigningKey(view) : nil
        let oauth2 = kind == .oauth2 ? readOAuth2(view) : nil
        if let kind { refuseForeignKeys(view, kind) }
        let scopes = readScopes(view, kind)
        let creates = view.boolean("create_users") ?? false
        let claimed = domains(view, "claim_accounts") ?? []
        let groups = view.map("groups")
        let added = readAddedGroups(groups)
        let claim = groups.filled("claim")?.text ?? "groups"
        let prefix = readGroupsPrefix(groups, id: id ?? "")
        let issuer = view.filled("issuer")
        let acceptance = readAcceptance(view, kind)
        if let oauth2 { refuseUnprovable(view, creates: creates, claims: !claimed.isEmpty, oauth2) }
        if kind == .apple { refuseUntoldByApple(view, creates: creates, scopes) }
        guard let id, let kind, let clientID, let acceptance,
            let base = readIssuer(issuer, kind, view, standard: oauth2?.origin ?? kind.standardIssuer),
            (kind == .apple) == (signingKey != nil), (kind == .oauth2) == (oauth2 != nil)
        else { return nil }
        if !claimed.isEmpty, !kind.mayClaimAccounts(issuer: base) {
            reading.problem(
                view.location(of: "claim_accounts"), Problem.join(view.path, "claim_accounts"),
                "\(kind.standardName ?? kind.rawValue) owns no e-mail domain: whoever once had an address there could "
                    + "sign in to the account that has it now")
        }
        refuseUnasked(view, kind, acceptance, scopes)
        return Settings.Provider(
            id: id, kind: kind, name: name ?? kind.standardName ?? id, issuer: base, clientID: clientID.text,
            clientSecret: secret, signingKey: signingKey, oauth2: oauth2, scopes: scopes ?? kind.standardScopes,
            acceptance: acceptance, createsUsers: creates, claimedDomains: claimed, addedGroups: added,
            groupsClaim: claim, groupsPrefix: prefix)
    }

    /// Lower case, since it stands in addresses that providers compare byte for byte.
    private func readProviderID(_ view: MapView) -> String? {
        guard let (id, value) = view.required("id") else { return nil }
        let isSimple =
            (1...32).contains(id.utf8.count)
            && id.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
        guard isSimple else {
            reading.problem(value.location, value.path, "an id is 1 to 32 of a-z 0-9 -")
            return nil
        }
        return id
    }

    private func readIssuer(
        _ written: (text: String, value: Value)?, _ kind: Settings.Provider.Kind, _ view: MapView, standard: String?
    ) -> String? {
        guard let written else {
            if let standard { return standard }
            // Of oauth2 it is the endpoint that is missing.
            if !view.has("issuer"), kind != .oauth2 { _ = view.required("issuer") }
            return nil
        }
        let (text, value) = written
        guard isFetchable(text), !text.contains("?") else {
            reading.refuse(value, expected: "an https URL, or http on loopback, without a query")
            return nil
        }
        if kind == .microsoft, ["/common", "/organizations", "/consumers"].contains(where: text.contains) {
            reading.problem(
                value.location, value.path,
                "found \(Document.Node.quote(text)): tokens of it are of every tenant; expected "
                    + "https://login.microsoftonline.com/TENANT-ID/v2.0")
            return nil
        }
        if let publicURL = keptPublicURL ?? Origin(root.filled("public_url")?.text ?? ""),
            text == publicURL.description
        {
            reading.problem(
                value.location, value.path, "is public_url: nobody can sign in here by having signed in here")
        }
        return kind == .github && text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private func readScopes(_ view: MapView, _ kind: Settings.Provider.Kind?) -> [String]? {
        guard let found = view.texts("scopes", allowEmptyList: false) else { return nil }
        for (text, value) in found
        where !text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c }) {
            reading.refuse(value, expected: "a scope: printable ASCII without space, \" and \\")
        }
        if let kind, let value = view.value("scopes") { refuseScopes(found.map(\.text), kind, value) }
        return found.map(\.text)
    }

    // MARK: accept

    private func readAcceptance(
        _ view: MapView, _ kind: Settings.Provider.Kind?
    ) -> Settings.Provider.Acceptance? {
        guard let value = view.value("accept") else {
            if !view.has("accept") {
                reading.problem(
                    view.location, Problem.join(view.path, "accept"),
                    "is missing; expected anyone, or a map with emails, domains, hosted_domains, groups or organizations"
                )
            }
            return nil
        }
        if value.text == "anyone" { return Settings.Provider.Acceptance() }
        guard case .map(let entries) = value.node.content, !entries.isEmpty else {
            reading.refuse(
                value, expected: "anyone, or a map with emails, domains, hosted_domains, groups or organizations")
            return nil
        }
        let accept = view.map("accept")
        var acceptance = Settings.Provider.Acceptance()
        acceptance.emails = accept.texts("emails", allowEmptyList: false)?.compactMap { text, value in
            guard let address = EmailAddress(text) else {
                reading.refuse(value)
                return nil
            }
            return address.canonical
        }
        acceptance.domains = domains(accept, "domains")
        acceptance.hostedDomains = domains(accept, "hosted_domains")
        acceptance.groups = accept.texts("groups", allowEmptyList: false)?.map(\.text)
        acceptance.organizations = accept.texts("organizations", allowEmptyList: false)?.map { $0.text.lowercased() }
        if let kind { refuseUnprovable(accept, kind) }
        return acceptance
    }

    /// What no answer of this kind of provider says would keep everybody out, or, worse, nobody.
    private func refuseUnprovable(_ accept: MapView, _ kind: Settings.Provider.Kind) {
        let unprovable: [(key: String, kinds: [Settings.Provider.Kind])] = [
            ("hosted_domains", [.github, .gitlab, .microsoft, .apple, .oidc, .oauth2]),
            ("organizations", [.google, .gitlab, .microsoft, .apple, .oidc, .oauth2]), ("groups", [.google, .apple]),
        ]
        for (key, kinds) in unprovable where accept.has(key) && kinds.contains(kind) {
            reading.problem(
                accept.location(of: key), Problem.join(accept.path, key),
                "cannot be proved: an answer of a provider of kind \(kind.rawValue) never says it")
        }
    }

    /// GitHub tells of organisations and teams only who asks for them.
    private func refuseUnasked(
        _ view: MapView, _ kind: Settings.Provider.Kind, _ acceptance: Settings.Provider.Acceptance,
        _ scopes: [String]?
    ) {
        guard kind == .github, let scopes, !scopes.contains("read:org"),
            acceptance.groups != nil || acceptance.organizations != nil
        else { return }
        reading.problem(
            view.location(of: "scopes"), Problem.join(view.path, "scopes"),
            "read:org is missing: without it accept.organizations and accept.groups let nobody in")
    }

    private func domains(_ view: MapView, _ key: String) -> [String]? {
        view.texts(key, allowEmptyList: key == "claim_accounts")?.compactMap { text, value in
            guard let address = EmailAddress("a@" + text), address.domain != "localhost" else {
                reading.refuse(value, expected: "a domain like example.com, without @ and *")
                return nil
            }
            return address.domain
        }
    }

    // MARK: groups

    private func readAddedGroups(_ view: MapView) -> [String] {
        (view.texts("add") ?? []).compactMap { text, value in
            guard GroupName.isValid(text) else {
                reading.refuse(value, expected: "a group: 1 to 64 of A-Z a-z 0-9 . _ : @ / -")
                return nil
            }
            guard !GroupName.isReserved(text) else {
                reading.problem(
                    value.location, value.path,
                    "\(text) is a group that Gatehouse itself gives meaning to: no provider hands it out")
                return nil
            }
            return text
        }
    }

    private func readGroupsPrefix(_ view: MapView, id: String) -> String {
        guard let (text, value) = view.scalar("prefix") else { return id + ":" }
        guard text.isEmpty || GroupName.isValid(text), text.utf8.count <= 32 else {
            reading.refuse(value, expected: "at most 32 of A-Z a-z 0-9 . _ : @ / -")
            return id + ":"
        }
        return text
    }

    // MARK: Beside the routes

    /// Whoever has an account anywhere would get in: most often not what was meant.
    func warnAboutOpenDoors(_ providers: [Settings.Provider], _ routes: [Settings.Route]) {
        let open = providers.filter { $0.acceptance.isOpen && $0.createsUsers }
        for provider in open {
            for route in routes {
                for (index, rule) in route.policy.rules.enumerated() where !rule.shadow {
                    guard case .allow(.signedIn) = rule.effect else { continue }
                    reading.warning(
                        root.map("login").location(of: "providers"), "login.providers",
                        "\(provider.id) accepts anyone and makes accounts for them, and rule "
                            + "\(rule.name ?? String(index)) of route \(route.policy.name) allows whoever is signed in: "
                            + "anyone who has an account there gets in")
                }
            }
        }
    }
}

extension RouteBuilder {
    /// `routes[].providers`.
    func readOfferedProviders(_ view: MapView) -> [String] {
        (view.texts("providers") ?? []).compactMap { text, value in
            guard providers.contains(text) else {
                reading.refuse(
                    value, text, among: providers,
                    expected: "the id of one of login.providers"
                        + (providers.isEmpty ? " (there are none)" : " (\(providers.joined(separator: ", ")))"))
                return nil
            }
            return text
        }
    }
}

extension Settings.Provider.Kind {
    var standardName: String? {
        switch self {
        case .google: "Google"
        case .github: "GitHub"
        case .gitlab: "GitLab"
        case .microsoft: "Microsoft"
        case .apple: "Apple"
        case .oidc, .oauth2: nil
        }
    }

    /// The operator may say that it owns e-mail domains: of those that serve the whole world it is never so.
    func mayClaimAccounts(issuer: String) -> Bool {
        switch self {
        case .github, .apple: false
        case .gitlab: issuer != standardIssuer
        case .google, .microsoft, .oidc, .oauth2: true
        }
    }

    /// See ``Settings/Provider/ownsAddresses``.
    func ownsAddresses(issuer: String) -> Bool { self != .oauth2 && mayClaimAccounts(issuer: issuer) }

    var standardIssuer: String? {
        switch self {
        case .google: "https://accounts.google.com"
        case .github: "https://github.com"
        case .gitlab: "https://gitlab.com"
        case .apple: "https://appleid.apple.com"
        case .microsoft, .oidc, .oauth2: nil
        }
    }

    var standardScopes: [String] {
        switch self {
        case .google, .microsoft, .gitlab, .oidc: ["openid", "profile", "email"]
        case .github: ["read:user", "user:email", "read:org"]
        case .apple: ["openid", "name", "email"]
        case .oauth2: []
        }
    }
}
