internal import Core

extension NewAPIKey {
    private static let maximumListCount = 64

    /// The key with its lists checked and its methods in upper case.
    ///
    /// - Throws: `invalid`.
    func validated(_ policy: KeyPolicy) throws(AccountsError) -> NewAPIKey {
        var result = self
        result.name = try validatedLabel(name, what: "key name", .nameMalformed)
        guard !name.allSatisfy(\.isWhitespace) else {
            throw AccountsError(.invalid, "An API key needs a name: say what it is for.", .nameMissing)
        }
        for scope in scopes ?? [] { try Self.check(scope: scope) }
        guard !policy.requireRoutes || !(routes ?? []).isEmpty else {
            throw AccountsError(
                .invalid, "api_keys.require_routes is set: name the routes that the key is for.", .routesMissing)
        }
        for route in routes ?? [] { _ = try validatedLabel(route, what: "route name", maximumBytes: 253) }
        var upper: [String] = []
        for method in methods ?? [] { upper.append(try Self.checked(method: method)) }
        if methods != nil { result.methods = upper }
        for (list, count) in [
            ("scopes", scopes?.count), ("routes", routes?.count), ("networks", networks?.count),
            ("methods", methods?.count),
        ] {
            guard let count else { continue }
            guard (1...Self.maximumListCount).contains(count) else {
                throw AccountsError(
                    .invalid, "A key's \(list), where given, are 1 to \(Self.maximumListCount), not \(count).")
            }
        }
        return result
    }

    /// When a key made at `now` ends.
    ///
    /// - Throws: `invalid` when it would live longer than the policy allows, or not at all.
    func expiry(_ policy: KeyPolicy, now: Timestamp) throws(AccountsError) -> Timestamp {
        let lifetime = lifetime ?? min(policy.defaultLifetime, policy.maximumLifetime)
        guard lifetime > .zero, lifetime <= policy.maximumLifetime else {
            let seconds = policy.maximumLifetime.components.seconds
            let longest = seconds.isMultiple(of: 86_400) ? "\(seconds / 86_400) days" : "\(seconds) seconds"
            throw AccountsError(
                .invalid,
                "A key ends after more than no time and at most \(longest) (api_keys.max_lifetime): choose another expiry."
            )
        }
        return now + lifetime
    }

    // RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E
    private static func check(scope: String) throws(AccountsError) {
        let good = scope.utf8.allSatisfy { $0 == 0x21 || (0x23...0x5b).contains($0) || (0x5d...0x7e).contains($0) }
        guard good, (1...128).contains(scope.utf8.count) else {
            throw AccountsError(.invalid, "\(quoted(scope)) is no scope: use visible ASCII without \" and \\.")
        }
    }

    private static func checked(method: String) throws(AccountsError) -> String {
        let good = method.utf8.allSatisfy { (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d }
        guard good, (1...32).contains(method.utf8.count) else {
            throw AccountsError(.invalid, "\(quoted(method)) is no request method: use letters, as in GET.")
        }
        return method.uppercased()
    }
}
