public import Core

/// Why a request would get the verdict that it gets.
public struct Explanation: Sendable {
    /// One way to read method and path, and what it leads to.
    public struct Reading: Sendable {
        /// The method, where there is more than one reading of it.
        public let method: String?
        /// The canonical path; `%2F` where an encoded slash is taken as data.
        public let path: String
        /// The name of the route that takes it.
        public let route: String?
        /// Its verdict.
        public let verdict: Verdict
        /// Why, unless it allows.
        public let reason: Reason?
        /// Every rule that was tried, up to the one that decided.
        public let rules: [RuleTried]
    }

    /// One rule, tried.
    public struct RuleTried: Sendable {
        /// Its index in the route's rules, or in the rule set that they are from.
        public let index: Int
        /// Its name, if it has one.
        public let name: String?
        /// It is only reported.
        public let shadow: Bool
        /// All its conditions hold.
        public let matched: Bool
        /// It decided.
        public let decided: Bool
        /// One phrase.
        public let why: String
    }

    /// One header line.
    public struct HeaderLine: Sendable, Hashable {
        /// The name.
        public let name: String
        /// The value.
        public let value: String
    }

    /// The verdict that holds.
    public let verdict: Verdict
    /// Why, unless it allows.
    public let reason: Reason?
    /// The name of the route that it comes from.
    public let route: String?
    /// The index of the rule that decided, in the route's rules or in the rule set that they are from.
    public let rule: Int?
    /// That rule's name.
    public let ruleName: String?
    /// Every reading of method and path; empty when the path is refused.
    public let readings: [Reading]
    /// The identity headers that would be forwarded, the assertion's empty; empty unless it is allowed.
    public let headers: [HeaderLine]
    /// For whom an assertion would be signed; nil when none would be.
    public let assertionAudience: String?
    /// Some groups would be left out for size.
    public let groupsTruncated: Bool
    /// What rules in the shadow would have decided.
    public let shadow: [ShadowResult]
}

extension Snapshot {
    /// Explains what ``decide(_:route:credential:)`` decides; verdict, reason, route and rule are its own.
    public func explain(_ facts: borrowing Facts, credential: CredentialState) -> Explanation {
        let opinion = decide(facts, credential: credential).opinion
        var headers: [Explanation.HeaderLine] = []
        var audience: String?
        var truncated = false
        var reason = opinion.reason
        var verdict = opinion.verdict
        if verdict == .allow, let route = opinion.route {
            do {
                headers = try IdentityHeaders.fields(opinion.identity, for: route, assertion: nil).map {
                    Explanation.HeaderLine(name: $0.name, value: $0.value)
                }
                if let identity = opinion.identity {
                    audience = route.assertion ? route.audience : nil
                    truncated = IdentityHeaders.shownGroups(of: identity, on: route).truncated
                }
            } catch {
                // Forwarding would be refused too.
                verdict = .deny
                reason = .ruleDenied
            }
        }
        return Explanation(
            verdict: verdict, reason: reason, route: opinion.route?.name, rule: opinion.ruleIndex,
            ruleName: opinion.ruleName, readings: readings(facts, credential), headers: headers,
            assertionAudience: audience, groupsTruncated: truncated, shadow: opinion.shadow)
    }

    private func readings(_ facts: borrowing Facts, _ credential: CredentialState) -> [Explanation.Reading] {
        guard MethodReadings.areTwo(facts.method) else { return readings(facts, method: nil, credential) }
        let raised = MethodReadings.raised(facts.method)
        var sent: [UInt8] = []
        for index in facts.method.indices { sent.append(facts.method[index]) }
        return readings(MethodReadings.asSent(facts), method: String(decoding: sent, as: UTF8.self), credential)
            + readings(
                MethodReadings.raised(facts, raised.span), method: String(decoding: raised, as: UTF8.self), credential)
    }

    private func readings(
        _ facts: borrowing Facts, method: String?, _ credential: CredentialState
    ) -> [Explanation.Reading] {
        var paths: [[UInt8]] = []
        var traits: PathTraits = []
        switch PathScan(facts.path) {
        case .refused: return []
        case .plain(let count):
            var path: [UInt8] = []
            for index in 0..<count { path.append(facts.path[index]) }
            paths = [path]
        case .encoded:
            guard let readings = PathReadings(facts.path) else { return [] }
            paths = readings.paths
            traits = readings.traits
        }
        var result: [Explanation.Reading] = []
        var primary: Route?
        for path in paths {
            let opinion = judge(facts, path, traits: traits, primary: primary, credential)
            if result.isEmpty { primary = opinion.route }
            let shown = path.flatMap { $0 == 0 ? Array("%2F".utf8) : [$0] }
            result.append(
                Explanation.Reading(
                    method: method, path: shown.isEmpty ? "/" : String(decoding: shown, as: UTF8.self),
                    route: opinion.route?.name, verdict: opinion.verdict, reason: opinion.reason,
                    rules: rulesTried(facts, path, opinion, credential)))
        }
        return result
    }

    private func rulesTried(
        _ facts: borrowing Facts, _ path: [UInt8], _ opinion: Opinion, _ credential: CredentialState
    ) -> [Explanation.RuleTried] {
        guard let route = opinion.route, opinion.reason != .pathRefused, opinion.reason != .keyRestricted else {
            return []
        }
        let compared = route.ignorePathCase ? CanonicalPath.folding(path) : path
        var tried: [Explanation.RuleTried] = []
        for rule in route.rules {
            let outcome = rule.outcome(facts, compared.span, credential)
            let (matched, why) = Self.describe(outcome)
            let decided = rule.place == opinion.ruleIndex
            tried.append(
                Explanation.RuleTried(
                    index: rule.place, name: rule.name, shadow: rule.shadow, matched: matched, decided: decided,
                    why: why))
            if decided { break }
        }
        return tried
    }

    private static func describe(_ outcome: Rule.Outcome) -> (matched: Bool, why: String) {
        switch outcome {
        case .notMatching(let condition): (false, "its \(condition.rawValue) do not match")
        case .notMeant: (true, "its deny means others; the next rule is tried")
        case .decided(let verdict, let reason):
            (true, reason.map { "\(verdict.rawValue): \($0.rawValue)" } ?? verdict.rawValue)
        }
    }
}
