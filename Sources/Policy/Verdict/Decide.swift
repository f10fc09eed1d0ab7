public import Core

extension Snapshot {
    /// The route of the path's primary reading: `;parameters` off, kept separators taken as data.
    ///
    /// - Returns: nil when no route takes it, and when host or path are malformed.
    public func route(for facts: borrowing Facts) -> Route? {
        switch PathScan(facts.path) {
        case .plain(let count): return route(host: facts.host, CanonicalPath(facts.path.extracting(0..<count)))
        case .refused: return nil
        case .encoded:
            guard let primary = PathReadings(facts.path)?.paths.first else { return nil }
            let folded = CanonicalPath.folding(primary)
            return route(host: facts.host, CanonicalPath(primary.span, folded: folded.span))
        }
    }

    /// As ``decide(_:route:credential:)``, finding the route itself.
    public func decide(_ facts: borrowing Facts, credential: CredentialState) -> Judgement {
        decide(facts, route: nil, credential: credential)
    }

    /// Decides who gets in. Every reading of the path is judged, each on the route that it falls on, and both readings
    /// of a method with lower-case letters; the strictest verdict holds (deny, step-up, sign-in, allow), the primary
    /// reading's where they are equal.
    ///
    /// - Parameter route: what ``route(for:)`` answered for the same facts; nil, or a route of another snapshot, is
    ///   looked up again.
    public func decide(_ facts: borrowing Facts, route: Route?, credential: CredentialState) -> Judgement {
        MethodReadings.areTwo(facts.method)
            ? Judgement(strictest(facts, route: route, credential))
            : Judgement(opinion(facts, route: route, credential))
    }

    /// Of both readings of the method.
    private func strictest(_ facts: borrowing Facts, route: Route?, _ credential: CredentialState) -> Opinion {
        let raised = MethodReadings.raised(facts.method)
        var opinion = opinion(MethodReadings.asSent(facts), route: route, credential)
        opinion.tighten(self.opinion(MethodReadings.raised(facts, raised.span), route: route, credential))
        return opinion
    }

    /// One reading of the method, all of the path.
    @inline(__always)
    private func opinion(_ facts: borrowing Facts, route: Route?, _ credential: CredentialState) -> Opinion {
        switch PathScan(facts.path) {
        case .refused: return .refusal(.pathRefused, route: route, identity: credential.identity)
        case .plain(let count):
            let path = CanonicalPath(facts.path.extracting(0..<count))
            guard let route = own(route) ?? self.route(host: facts.host, path) else {
                return .refusal(.noRoute, identity: credential.identity)
            }
            return Self.judge(facts, path, on: route, credential)
        case .encoded:
            guard let readings = PathReadings(facts.path) else {
                return .refusal(.pathRefused, route: route, identity: credential.identity)
            }
            return judge(facts, readings, credential)
        }
    }

    private func own(_ route: Route?) -> Route? {
        guard let route, routes.indices.contains(route.index), routes[route.index] === route else { return nil }
        return route
    }

    private func judge(
        _ facts: borrowing Facts, _ readings: PathReadings, _ credential: CredentialState
    ) -> Opinion {
        var strictest: Opinion?
        var primary: Route?
        for path in readings.paths {
            let opinion = judge(facts, path, traits: readings.traits, primary: primary, credential)
            if strictest == nil { primary = opinion.route }
            strictest?.tighten(opinion)
            strictest = strictest ?? opinion
        }
        return strictest ?? .refusal(.pathRefused, identity: credential.identity)
    }

    /// One reading. `primary` is the route of the first one, nil while that is judged.
    func judge(
        _ facts: borrowing Facts, _ reading: [UInt8], traits: PathTraits, primary: Route?,
        _ credential: CredentialState
    ) -> Opinion {
        let folded = CanonicalPath.folding(reading)
        let path = CanonicalPath(reading.span, folded: folded.span)
        guard let route = route(host: facts.host, path) else {
            // Nor does any route keep what would have to be kept.
            return .refusal(traits.mustBeKept.isEmpty ? .noRoute : .pathRefused, identity: credential.identity)
        }
        return judge(facts, path, traits: traits, on: route, primary: primary, credential)
    }

    func judge(
        _ facts: borrowing Facts, _ path: borrowing CanonicalPath, traits: PathTraits, on route: Route, primary: Route?,
        _ credential: CredentialState
    ) -> Opinion {
        guard route.keepInPath.isSuperset(of: traits.mustBeKept) else {
            return .refusal(.pathRefused, route: route, identity: credential.identity)
        }
        var opinion = Self.judge(facts, path, on: route, credential)
        // The credential was looked for where the primary route says; this one might not have accepted it from there.
        if let primary, !route.credentialsFrom.isSuperset(of: primary.credentialsFrom) {
            opinion.tighten(Self.judge(facts, path, on: route, .none))
        }
        return opinion
    }

    static func judge(
        _ facts: borrowing Facts, _ path: borrowing CanonicalPath, on route: Route, _ credential: CredentialState
    ) -> Opinion {
        let identity = credential.identity
        if let bounds = identity?.bounds, !bounds.include(facts, on: route) {
            return .refusal(.keyRestricted, route: route, identity: identity)
        }
        let compared = route.ignorePathCase ? path.folded : path.exact
        var opinion = Opinion.refusal(.noRule, route: route, identity: identity)
        if case .refused(let refusal) = credential, refusal.reason != .credentialsDisagree {
            opinion.reason = refusal.reason
        }
        // By their places: a copy of a rule would count up everything that it holds.
        for index in route.rules.indices {
            guard case .decided(let verdict, let reason) = route.rules[index].outcome(facts, compared, credential)
            else { continue }
            if route.rules[index].shadow {
                opinion.shadow.append(
                    ShadowResult(
                        ruleIndex: route.rules[index].place, ruleName: route.rules[index].name, verdict: verdict,
                        reason: reason))
                continue
            }
            opinion.verdict = verdict
            opinion.reason = reason
            opinion.ruleIndex = route.rules[index].place
            opinion.ruleName = route.rules[index].name
            break
        }
        return opinion
    }

    func route(host: Span<UInt8>, _ path: borrowing CanonicalPath) -> Route? {
        for index in candidates(host) ?? [] where routes[index].takes(path) { return routes[index] }
        return nil
    }

    /// The routes of a host, in their order.
    ///
    /// - Returns: nil when it is malformed.
    func candidates(_ host: Span<UInt8>) -> [Int]? {
        switch RequestHost(host) {
        case .refused: nil
        case .absent: hosts.anyHost
        case .name(let range): hosts.candidates(host, range)
        case .address(let bytes): hosts.candidates(bytes.span, 0..<bytes.count)
        }
    }
}
