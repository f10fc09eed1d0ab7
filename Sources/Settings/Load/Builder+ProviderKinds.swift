import Core

/// Reads what only some kinds of providers have.
extension Builder {
    /// Which kinds have which keys; all others have neither.
    private static let kindsOfKeys: [(key: String, kind: Settings.Provider.Kind)] = [
        ("team_id", .apple), ("key_id", .apple), ("private_key", .apple), ("authorization_endpoint", .oauth2),
        ("token_endpoint", .oauth2), ("userinfo_endpoint", .oauth2), ("token_endpoint_auth_method", .oauth2),
        ("claims", .oauth2), ("email_trusted", .oauth2),
    ]

    /// A key that would have no effect is a mistake about the kind.
    func refuseForeignKeys(_ view: MapView, _ kind: Settings.Provider.Kind) {
        for (key, owner) in Self.kindsOfKeys where owner != kind && view.has(key) {
            reading.problem(
                view.location(of: key), Problem.join(view.path, key),
                "is a key of kind \(owner.rawValue); this provider is of kind \(kind.rawValue)")
        }
    }

    /// - Returns: nil also where secrets are left alone.
    func readClientSecret(_ view: MapView, _ kind: Settings.Provider.Kind?) -> SecretBytes? {
        guard kind != .apple else {
            if view.has("client_secret") {
                reading.problem(
                    view.location(of: "client_secret"), Problem.join(view.path, "client_secret"),
                    "Apple's has an end, so it is made from private_key whenever it is needed: leave it out")
            }
            return nil
        }
        if !view.has("client_secret") { _ = view.required("client_secret") }
        guard secrets == .read, let value = view.value("client_secret") else { return nil }
        return Secrets(reading: reading).read(value)
    }

    /// What each kind can be asked for, as far as it matters here.
    func refuseScopes(_ scopes: [String], _ kind: Settings.Provider.Kind, _ value: Value) {
        switch kind {
        case .github, .oauth2: break
        case .apple:
            if let other = scopes.first(where: { !kind.standardScopes.contains($0) }) {
                reading.problem(
                    value.location, value.path,
                    "Apple has no scope \(Document.Node.quote(other)); expected openid, name and email")
            }
        case .google, .gitlab, .microsoft, .oidc:
            guard !scopes.contains("openid") else { return }
            reading.problem(value.location, value.path, "openid is missing: without it there is no ID token")
        }
    }

    // MARK: Apple

    func readSigningKey(_ view: MapView) -> Settings.Provider.SigningKey? {
        let teamID = identifier(view, "team_id")
        let keyID = identifier(view, "key_id")
        if !view.has("private_key") { _ = view.required("private_key") }
        var pem: SecretBytes?
        if secrets == .read, let value = view.value("private_key") {
            pem = Secrets(reading: reading).read(value)
            if let certificates, let pem, !certificates.isSigningKey(pem) {
                reading.problem(
                    value.location, value.path,
                    "is no private key for ES256 in PEM (PRIVATE KEY, P-256, not encrypted), as Apple's .p8 files are")
            }
        }
        guard let teamID, let keyID else { return nil }
        return Settings.Provider.SigningKey(teamID: teamID, keyID: keyID, pem: pem)
    }

    private func identifier(_ view: MapView, _ key: String) -> String? {
        guard let (text, value) = view.required(key) else { return nil }
        let isSimple =
            (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
            }
        guard isSimple else {
            reading.refuse(value)
            return nil
        }
        return text
    }

    /// What would keep everybody out since Apple does not say it, or is not asked to.
    func refuseUntoldByApple(_ view: MapView, creates: Bool, _ scopes: [String]?) {
        let groups = view.map("groups")
        if groups.has("claim") {
            reading.problem(
                groups.location(of: "claim"), Problem.join(groups.path, "claim"),
                "has no effect: Apple tells of no groups; groups.add gives groups to all its people")
        }
        guard let scopes, !scopes.contains("email") else { return }
        let unasked = "Apple tells the address only where scopes has email"
        refuseAddresses(view, because: unasked)
        guard creates else { return }
        reading.problem(
            view.location(of: "create_users"), Problem.join(view.path, "create_users"),
            "can make no account: \(unasked)")
    }

    /// `accept.emails` and `accept.domains` where no address is known, or none for sure.
    private func refuseAddresses(_ view: MapView, because reason: String) {
        guard case .map? = view.value("accept")?.node.content else { return }
        let accept = view.map("accept")
        for key in ["emails", "domains"] where accept.has(key) {
            reading.problem(
                accept.location(of: key), Problem.join(accept.path, key), "cannot be proved: \(reason)")
        }
    }

    // MARK: oauth2

    func readOAuth2(_ view: MapView) -> Settings.Provider.OAuth2? {
        let authorization = endpoint(view, "authorization_endpoint")
        let token = endpoint(view, "token_endpoint")
        let userInfo = endpoint(view, "userinfo_endpoint")
        let authentication = view.choice(
            "token_endpoint_auth_method", of: Settings.Provider.OAuth2.Authentication.self)
        let claims = view.map("claims")
        if !claims.has("subject") { _ = claims.required("subject") }
        let subject = path(claims, "subject")
        let email = path(claims, "email")
        let verified = path(claims, "email_verified")
        let name = path(claims, "name")
        let groups = view.map("groups")
        let groupsPath = path(groups, "claim")
        let isTrusted = view.boolean("email_trusted") ?? false
        if isTrusted, claims.has("email_verified") {
            reading.problem(
                claims.location(of: "email_verified"), Problem.join(claims.path, "email_verified"),
                "has no effect beside email_trusted: true, which takes every address for verified")
        }
        guard let authorization, let token, let userInfo, let authentication, let subject, let email, let name else {
            return nil
        }
        return Settings.Provider.OAuth2(
            authorizationEndpoint: authorization, tokenEndpoint: token, userInfoEndpoint: userInfo,
            authentication: authentication, subject: subject, email: email, emailVerified: verified, name: name,
            groups: groupsPath, emailTrusted: isTrusted)
    }

    private func endpoint(_ view: MapView, _ key: String) -> String? {
        guard let (text, value) = view.required(key) else { return nil }
        guard text.utf8.count <= 2048, isFetchable(text) else {
            reading.refuse(value, expected: "an https URL, or http on loopback")
            return nil
        }
        return text
    }

    private func path(_ view: MapView, _ key: String) -> ClaimPath? {
        guard let (text, value) = view.filled(key) else { return nil }
        guard let path = ClaimPath(text) else {
            reading.refuse(
                value, expected: "a dotted path like profile.email, or a JSON pointer like /emails/0/value")
            return nil
        }
        return path
    }

    /// What would keep everybody out since nothing in the provider's answer says it.
    func refuseUnprovable(_ view: MapView, creates: Bool, claims: Bool, _ oauth2: Settings.Provider.OAuth2) {
        let unverified =
            "nothing says that an address is verified: claims.email_verified names what does, or email_trusted: true "
            + "says that the provider verifies them all"
        if !oauth2.verifiesEmail {
            refuseAddresses(view, because: unverified)
            if claims {
                reading.problem(
                    view.location(of: "claim_accounts"), Problem.join(view.path, "claim_accounts"),
                    "can sign in to no account: \(unverified)")
            }
            if creates {
                reading.problem(
                    view.location(of: "create_users"), Problem.join(view.path, "create_users"),
                    "can make no account: \(unverified)")
            }
        }
        guard case .map? = view.value("accept")?.node.content else { return }
        let accept = view.map("accept")
        if accept.has("groups"), !view.map("groups").has("claim") {
            reading.problem(
                accept.location(of: "groups"), Problem.join(accept.path, "groups"),
                "cannot be proved: groups.claim does not say where the groups stand in the provider's answer")
        }
    }
}

extension Settings.Provider.OAuth2 {
    /// Of what says who people are.
    var origin: String? {
        guard let colon = userInfoEndpoint.firstRange(of: "://") else { return nil }
        let rest = userInfoEndpoint[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        return Origin(String(userInfoEndpoint[..<end]))?.description
    }
}
