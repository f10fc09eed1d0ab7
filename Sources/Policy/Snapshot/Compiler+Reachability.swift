import Core

extension Compiler {
    /// Reports what can never happen because something earlier takes it all.
    mutating func checkReachability(of route: Route, after earlier: [Route]) {
        if let same = Self.sameHostAndPath(route, earlier) {
            report(
                .sameHostAndPath, Place(route: route.index), other: Place(route: same.route.index),
                "route \"\(same.route.name)\" has the same host and path (\(same.what)); only the first can match")
        } else if let taker = Self.taker(of: route, earlier) {
            report(
                .routeNeverMatches, Place(route: route.index), other: Place(route: taker.index),
                "this route can never match: earlier routes such as \"\(taker.name)\" take every host and path of it")
        }
        for index in route.rules.indices { checkRule(index, of: route) }
    }

    private static func sameHostAndPath(_ route: Route, _ earlier: [Route]) -> (route: Route, what: String)? {
        for other in earlier {
            for host in other.hostPatterns where route.hostPatterns.contains(host) {
                for path in other.paths where route.paths.contains(where: { $0.covers(path) && path.covers($0) }) {
                    return (other, "\(host.description) \(path.text)")
                }
            }
        }
        return nil
    }

    /// The last of the earlier routes without which something would be left, when nothing is.
    private static func taker(of route: Route, _ earlier: [Route]) -> Route? {
        var last: Route?
        for host in route.hostPatterns {
            for path in route.paths {
                guard let other = earlier.first(where: { takes(all: host, path, $0) }) else { return nil }
                last = other
            }
        }
        return last
    }

    private static func takes(all host: HostPattern, _ path: PathGlob, _ route: Route) -> Bool {
        route.hostPatterns.contains { $0.covers(host) } && route.paths.contains { $0.covers(path) }
    }

    // MARK: Rules

    private mutating func checkRule(_ index: Int, of route: Route) {
        let rule = route.rules[index]
        let place = Place(route: route.index, rule: index)
        let paths = rule.paths.map { Self.meeting($0, route.paths) } ?? route.paths
        guard !paths.isEmpty else {
            return report(.ruleNeverMatches, place, "this rule can never match: the route takes none of its paths")
        }
        let methods = rule.methodsTaken
        guard !methods.isEmpty else {
            return report(.ruleNeverMatches, place, "this rule can never match: CONNECT and TRACE are never served")
        }
        let earlier = route.rules.indices.prefix(index).filter { route.rules[$0].decidesWheneverItMatches(rule) }
        guard let takers = Self.takers(of: rule, on: paths, methods, earlier, route.rules), let last = takers.max()
        else { return }
        let what = takers.count == 1 ? "an earlier rule decides" : "earlier rules together decide"
        report(
            .ruleNeverMatches, place, other: Place(route: route.index, rule: last),
            "this rule can never match: \(what) everything that it would")
    }

    /// What is left of `globs` on a route that takes `paths`.
    private static func meeting(_ globs: [PathGlob], _ paths: [PathGlob]) -> [PathGlob] {
        globs.flatMap { glob in
            paths.compactMap { path in
                if glob.covers(path) { return path }
                return path.overlaps(glob) ? glob : nil
            }
        }
    }

    /// The earlier rules that take every path, method and network of `rule`, each of them by one or the other; nil when
    /// something is left.
    private static func takers(
        of rule: Rule, on paths: [PathGlob], _ methods: [[UInt8]?], _ earlier: [Int], _ rules: [Rule]
    ) -> Set<Int>? {
        var takers: Set<Int> = []
        for path in paths {
            let onPath = earlier.filter { index in
                rules[index].paths.map { $0.contains { $0.covers(path) } } ?? true
            }
            guard !onPath.isEmpty else { return nil }
            for method in methods {
                let onBoth = onPath.filter { rules[$0].takes(method) }
                if let always = onBoth.first(where: { rules[$0].networks == nil }) {
                    takers.insert(always)
                    continue
                }
                // An unknown address is in no network, so networks alone take never everything.
                guard let networks = rule.networks else { return nil }
                for network in networks {
                    let needed = onBoth.filter { rules[$0].networks?.contains { $0.overlaps(network) } ?? false }
                    guard network.isCovered(by: needed.flatMap { rules[$0].networks ?? [] }) else { return nil }
                    takers.formUnion(
                        needed.first { network.isCovered(by: rules[$0].networks ?? []) }.map { [$0] } ?? needed)
                }
            }
        }
        return takers
    }
}

extension Rule {
    /// A `deny` with a map leaves others to later rules, a rule in the shadow leaves everybody.
    ///
    /// - Parameter later: the rule that would be tried next.
    fileprivate func decidesWheneverItMatches(_ later: Rule) -> Bool {
        if shadow || preflight && !later.preflight { return false }
        switch effect {
        case .allow, .deny(.everyone): return true
        case .deny: return false
        }
    }

    /// The methods with which it can match, one by one; nil stands for all that there are.
    fileprivate var methodsTaken: [[UInt8]?] {
        let options = Array("OPTIONS".utf8)
        guard let methods else { return preflight ? [options] : [nil] }
        return methods.methods.filter { method in
            if preflight { return method == options }
            return method != Array("CONNECT".utf8) && method != Array("TRACE".utf8)
        }
    }

    fileprivate func takes(_ method: [UInt8]?) -> Bool {
        guard let methods else { return true }
        guard let method else { return false }
        return methods.methods.contains(method)
    }
}

extension Network {
    /// Every address of it is in one of `others`.
    fileprivate func isCovered(by others: [Network]) -> Bool {
        let near = others.filter(overlaps)
        if near.contains(where: { $0.prefixLength <= prefixLength }) { return true }
        guard !near.isEmpty, let halves else { return false }
        return halves.lower.isCovered(by: near) && halves.upper.isCovered(by: near)
    }
}
