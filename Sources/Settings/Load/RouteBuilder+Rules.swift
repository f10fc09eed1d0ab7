import Core
import Policy

extension RouteBuilder {
    /// `rule_sets` of all files.
    func readRuleSets() {
        for source in builder.all {
            let sets = source.map("rule_sets")
            for entry in source.entries("rule_sets") {
                guard Names.isSimple(entry.name) else {
                    reading.problem(entry.location, entry.value.path, "a name is one or more of A-Z a-z 0-9 . _ -")
                    continue
                }
                guard ruleSets[entry.name] == nil else {
                    reading.problem(entry.location, entry.value.path, "there are two rule sets of this name")
                    continue
                }
                ruleSets[entry.name] = readRuleList(sets.maps(in: entry.value, key: "*"))
            }
        }
    }

    /// `rules` of a route: its own, or those of a rule set.
    func readRules(_ view: MapView) -> [PlacedRule] {
        guard let value = view.value("rules") else {
            if !view.has("rules") {
                reading.warning(
                    view.location, Problem.join(view.path, "rules"), "is missing, so every request is refused")
            }
            return []
        }
        guard let name = value.text else { return readRuleList(view.maps(in: value, key: "rules")) }
        guard let rules = ruleSets[name] else {
            let names = ruleSets.keys.sorted()
            let known = names.isEmpty ? "there are none" : "there are \(names.joined(separator: ", "))"
            let suggestion = Nearest.suggestion(for: name, among: names)
            reading.problem(
                value.location, value.path,
                "found \(Document.Node.quote(name)), expected a list of rules or the name of a rule set (\(known))"
                    + suggestion)
            return []
        }
        return rules
    }

    /// A rule with a problem is left out, so that nobody draws conclusions from what is left of it.
    private func readRuleList(_ views: [MapView]) -> [PlacedRule] {
        views.compactMap { view in
            let before = reading.problems.count
            guard let rule = readRule(view), reading.problems.count == before, view.node?.isDamaged == false else {
                return nil
            }
            return PlacedRule(rule: rule, view: view)
        }
    }

    private func readRule(_ view: MapView) -> RuleDescription? {
        let effect = readEffect(view)
        let networks = view.networks("networks")
        for (network, value) in networks ?? [] {
            if let proxy = trusted.networks.first(where: { $0.overlaps(network) }) {
                reading.problem(
                    value.location, value.path,
                    "\(network) overlaps \(proxy) of trusted_proxies: an address there is a proxy's and never a client's"
                )
            }
        }
        let paths = view.texts("paths", allowEmptyList: false)?.map(\.text)
        let methods = view.texts("methods", allowEmptyList: false)?.map(\.text)
        let preflight = view.boolean("preflight") ?? false
        let name = view.filled("name")?.text
        let shadow = view.boolean("shadow") ?? false
        guard let effect else { return nil }
        return RuleDescription(
            effect, paths: paths, methods: methods, networks: networks?.map(\.network), preflight: preflight,
            name: name,
            shadow: shadow)
    }

    private func readEffect(_ view: MapView) -> RuleDescription.Effect? {
        let allow = view.value("allow")
        let deny = view.value("deny")
        switch (allow, deny) {
        case (let allow?, nil): return readRequirement(allow, view, "allow").map { .allow($0) }
        case (nil, let deny?): return readRequirement(deny, view, "deny").map { .deny($0) }
        case (_?, let deny?):
            reading.problem(deny.location, deny.path, "a rule has either allow or deny, not both")
        case (nil, nil):
            if !view.has("allow"), !view.has("deny") {
                reading.problem(view.location, view.path, "a rule needs allow or deny")
            }
        }
        return nil
    }

    private func readRequirement(_ value: Value, _ view: MapView, _ key: String) -> Requirement? {
        if let text = value.text {
            switch text {
            case "everyone": return .everyone
            case "signed_in" where key == "allow": return .signedIn
            default:
                let words = key == "allow" ? ["everyone", "signed_in"] : ["everyone"]
                reading.refuse(value, text, among: words)
                return nil
            }
        }
        if case .text = value.node.content {
            reading.refuse(value)
            return nil
        }
        if case .list(let items) = value.node.content, items.isEmpty {
            reading.refuse(value)
            return nil
        }
        let maps = view.maps(in: value, key: key)
        return maps.isEmpty ? nil : .anyOf(maps.map(readConditions))
    }

    private func readConditions(_ view: MapView) -> Conditions {
        if case .map(let entries)? = view.node?.content, entries.isEmpty {
            reading.problem(
                view.location, view.path,
                "an empty map demands nothing; expected users, groups, scopes, factors, max_age or credentials")
        }
        let credentials = view.choices("credentials", allowEmptyList: false)?.compactMap(Identity.Kind.init(rawValue:))
        if credentials == [.jwt], issuers.isEmpty {
            reading.warning(
                view.location(of: "credentials"), Problem.join(view.path, "credentials"),
                "nobody has one: jwt.issuers is empty")
        }
        if credentials == [.certificate], !asksForCertificates {
            reading.warning(
                view.location(of: "credentials"), Problem.join(view.path, "credentials"),
                "nobody has one: no listener has tls.client_ca")
        }
        return Conditions(
            users: view.texts("users", allowEmptyList: false)?.map(\.text),
            groups: view.texts("groups", allowEmptyList: false)?.map(\.text),
            scopes: view.texts("scopes", allowEmptyList: false)?.map(\.text), factors: readFactors(view),
            maxAge: view.duration("max_age"), credentials: credentials)
    }

    private func readFactors(_ view: MapView) -> Conditions.Factors? {
        guard let (text, value) = view.filled("factors") else { return nil }
        switch text {
        case "2": return .two
        case "passkey": return .passkey
        default:
            reading.refuse(value, text, among: ["2", "passkey"])
            return nil
        }
    }

    // MARK: Findings

    /// A rule of a shared set need not match on every route that uses the set. Where it cannot, it is left out; where it
    /// can nowhere, it stays to be complained about.
    func withoutIdleRules(_ drafts: [Draft]) -> [Draft] {
        let indices = drafts.indices.filter { drafts[$0].isComparable }
        var idle: [String: [Int: Set<Int>]] = [:]
        for finding in Snapshot.findings(in: indices.map { drafts[$0].route.policy }) {
            guard finding.code == .ruleNeverMatches, let rule = finding.place.rule,
                indices.indices.contains(finding.place.route)
            else { continue }
            let index = indices[finding.place.route]
            guard let name = drafts[index].ruleSet else { continue }
            idle[name, default: [:]][rule, default: []].insert(index)
        }
        var result = drafts
        for (name, rules) in idle {
            let users = indices.filter { drafts[$0].ruleSet == name }
            for index in users {
                // Those that stay are told by their places in the set.
                for place in drafts[index].rules.indices { result[index].route.policy.rules[place].place = place }
            }
            for (rule, routes) in rules.sorted(by: { $0.key > $1.key }) where routes.count < users.count {
                for index in routes {
                    result[index].rules.remove(at: rule)
                    result[index].route.policy.rules.remove(at: rule)
                }
            }
        }
        return result
    }

    /// A rule of a shared set that nobody can meet on one route may be met on another, which looks for other
    /// credentials; where it can nowhere, it is complained about.
    func withoutSharedHopes(_ findings: [Finding], _ drafts: [Draft]) -> [Finding] {
        func isHopeless(_ route: Int, _ path: String) -> Bool {
            findings.contains { finding in
                finding.code == .ruleNeverMetHere && finding.place.route == route
                    && finding.place.rule.map { drafts[route].rules[$0].view.path } == path
            }
        }
        return findings.filter { finding in
            guard finding.code == .ruleNeverMetHere, let rule = finding.place.rule,
                drafts.indices.contains(finding.place.route),
                drafts[finding.place.route].rules.indices.contains(rule),
                let set = drafts[finding.place.route].ruleSet
            else { return true }
            let path = drafts[finding.place.route].rules[rule].view.path
            return drafts.indices.allSatisfy { index in
                drafts[index].ruleSet != set || !drafts[index].rules.contains { $0.view.path == path }
                    || isHopeless(index, path)
            }
        }
    }

    /// Says of each finding where it is.
    func report(_ findings: [Finding], _ drafts: [Draft]) {
        for finding in findings {
            guard let (location, path) = place(finding.place, drafts) else { continue }
            let other = finding.other.flatMap { place($0, drafts) }
            let hint =
                other.map { other in
                    let file = other.0.file == location.file ? "" : " of \(other.0.file)"
                    return "; see \(other.1) on line \(other.0.line)\(file)"
                } ?? ""
            if finding.isWarning {
                reading.warning(location, path, finding.message + hint)
            } else {
                reading.problem(location, path, finding.message + hint)
            }
        }
    }

    private func place(_ place: Place, _ drafts: [Draft]) -> (Document.Location, String)? {
        guard drafts.indices.contains(place.route) else { return nil }
        let draft = drafts[place.route]
        var view = draft.view
        if let rule = place.rule {
            guard draft.rules.indices.contains(rule) else { return (view.location, view.path) }
            view = draft.rules[rule].view
        }
        let key: String
        switch place.key {
        case .name: key = "name"
        case .hosts: key = "host"
        case .paths: key = "paths"
        case .groupsShown: key = "groups_shown"
        case .methods: key = "methods"
        case .networks: key = "networks"
        case .allow: key = "allow"
        case .deny: key = "deny"
        case .rule: return (view.location, view.path)
        }
        guard let node = view.node?.child(key) else { return (view.location, Problem.join(view.path, key)) }
        let index = place.key == .allow || place.key == .deny ? place.map : place.item
        let path = Problem.join(view.path, key)
        guard let index, case .list(let items) = node.content, items.indices.contains(index) else {
            return (node.location, path)
        }
        return (items[index].location, "\(path)[\(index)]")
    }
}
