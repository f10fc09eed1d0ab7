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

    private mutating func checkRule(_ index: Int, of route: Route) {
        let rule = route.rules[index]
        let place = Place(route: route.index, rule: index)
        if let paths = rule.paths, !paths.contains(where: { glob in route.paths.contains { $0.overlaps(glob) } }) {
            report(.ruleNeverMatches, place, "this rule can never match: the route takes none of its paths")
            return
        }
        let paths = rule.paths ?? route.paths
        for (earlierIndex, earlier) in route.rules[..<index].enumerated()
        where earlier.decidesWheneverItMatches && earlier.matchesWhenever(rule, on: paths) {
            report(
                .ruleNeverMatches, place, other: Place(route: route.index, rule: earlierIndex),
                "this rule can never match: rule \(earlierIndex + 1) of the route decides everything that it would")
            return
        }
    }
}

extension Rule {
    /// A `deny` with a map leaves others to later rules, a rule in the shadow leaves everybody.
    fileprivate var decidesWheneverItMatches: Bool {
        if shadow { return false }
        switch effect {
        case .allow, .deny(.everyone): return true
        case .deny: return false
        }
    }

    /// - Parameter paths: where `other` matches.
    fileprivate func matchesWhenever(_ other: Rule, on paths: [PathGlob]) -> Bool {
        if preflight, !other.preflight { return false }
        if let methods {
            guard let others = other.methods ?? (other.preflight ? MethodList(["OPTIONS"]) : nil),
                methods.covers(others)
            else { return false }
        }
        if let networks {
            guard let others = other.networks else { return false }
            for network in others
            where !networks.contains(where: {
                $0.contains(network.address) && $0.prefixLength <= network.prefixLength
            }) { return false }
        }
        guard let own = self.paths else { return true }
        return paths.allSatisfy { path in own.contains { $0.covers(path) } }
    }
}
