import Core

/// Turns descriptions into routes and gathers everything that is wrong with them. What is made while there are
/// findings is never used.
struct Compiler {
    private(set) var findings: [Finding] = []

    mutating func compile(_ descriptions: [RouteDescription]) -> [Route] {
        var routes: [Route] = []
        var names: [String: Int] = [:]
        for (index, description) in descriptions.enumerated() {
            let before = findings.count
            let route = compile(description, at: index)
            // What nobody can meet still takes what it takes.
            let isSound = findings[before...].allSatisfy {
                $0.code == .conditionsNeverMet || $0.code == .ruleNeverMetHere
            }
            if let earlier = names[description.name] {
                report(
                    .duplicateName, Place(route: index, key: .name), other: Place(route: earlier, key: .name),
                    "another route has the name \"\(description.name)\"; names are unique")
            }
            names[description.name] = names[description.name] ?? index
            if isSound { checkReachability(of: route, after: routes) }
            routes.append(route)
        }
        return routes
    }

    mutating func report(_ code: Finding.Code, _ place: Place, other: Place? = nil, _ message: String) {
        findings.append(Finding(code, at: place, other: other, message))
    }

    private mutating func compile(_ description: RouteDescription, at index: Int) -> Route {
        if description.name.isEmpty || description.name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            report(.badName, Place(route: index, key: .name), "a name is not empty and has no control characters")
        }
        let hosts = compileHosts(description.hosts, at: index)
        let paths = globs(
            description.paths ?? ["/**"], of: description, at: Place(route: index, key: .paths))
        for (item, glob) in description.groupsShown.enumerated()
        where !glob.utf8.allSatisfy({ GroupName.isAllowed($0) || $0 == Wildcard.star }) || glob.isEmpty {
            report(
                .badGlob, Place(route: index, key: .groupsShown, item: item),
                "\"\(glob)\" can match no group; group names consist of letters, digits and ._:@/-")
        }
        var rules: [Rule] = []
        for (position, rule) in description.rules.enumerated() {
            rules.append(compile(rule, position, of: description, at: Place(route: index, rule: position)))
        }
        return Route(index: index, description, hosts: hosts, paths: paths, rules: rules)
    }

    private mutating func compileHosts(_ hosts: [String]?, at index: Int) -> [HostPattern] {
        guard let hosts else { return [.any] }
        if hosts.isEmpty { reportEmpty(Place(route: index, key: .hosts)) }
        var patterns: [HostPattern] = []
        for (item, text) in hosts.enumerated() {
            if let pattern = HostPattern(configured: text) {
                patterns.append(pattern)
            } else {
                report(
                    .badHost, Place(route: index, key: .hosts, item: item),
                    "\"\(text)\" is no host name; allowed are a name without port, \"*.\" and a name, an IPv6 address in"
                        + " brackets; characters that are no lower-case letters or digits need their xn-- form")
            }
        }
        return patterns
    }

    private mutating func globs(_ texts: [String], of route: RouteDescription, at place: Place) -> [PathGlob] {
        if texts.isEmpty { reportEmpty(place) }
        var globs: [PathGlob] = []
        for (item, text) in texts.enumerated() {
            do {
                globs.append(
                    try PathGlob(
                        text, ignoringCase: route.ignorePathCase,
                        emptySegments: route.keepInPath.contains(.emptySegment)))
            } catch {
                report(
                    .badGlob, Place(route: place.route, rule: place.rule, key: .paths, item: item),
                    "\"\(text)\" is no path glob: \(error.message)")
            }
        }
        return globs
    }

    private mutating func compile(
        _ rule: RuleDescription, _ position: Int, of route: RouteDescription, at place: Place
    ) -> Rule {
        let paths = rule.paths.map { texts in
            globs(texts, of: route, at: Place(route: place.route, rule: place.rule, key: .paths))
        }
        if let methods = rule.methods {
            if methods.isEmpty { reportEmpty(Place(route: place.route, rule: place.rule, key: .methods)) }
            for (item, method) in methods.enumerated() where !Self.isMethod(method) {
                report(
                    .badMethod, Place(route: place.route, rule: place.rule, key: .methods, item: item),
                    "\"\(method)\" is no method; methods are tokens in upper case")
            }
            if rule.preflight, !methods.contains("OPTIONS") {
                report(.ruleNeverMatches, place, "a preflight is an OPTIONS request, and `methods` has no OPTIONS")
            }
        }
        if let networks = rule.networks, networks.isEmpty {
            reportEmpty(Place(route: place.route, rule: place.rule, key: .networks))
        }
        let effect: Rule.Effect
        switch rule.effect {
        case .allow(let requirement):
            check(requirement, of: route, Place(route: place.route, rule: place.rule, key: .allow))
            effect = .allow(CompiledRequirement(requirement))
        case .deny(let requirement):
            check(requirement, of: route, Place(route: place.route, rule: place.rule, key: .deny))
            effect = .deny(CompiledRequirement(requirement))
        }
        return Rule(
            place: rule.place ?? position, name: rule.name, shadow: rule.shadow, effect: effect, paths: paths,
            methods: rule.methods.map(MethodList.init), networks: rule.networks, preflight: rule.preflight)
    }

    private mutating func check(_ requirement: Requirement, of route: RouteDescription, _ place: Place) {
        guard case .anyOf(let maps) = requirement else { return }
        if maps.isEmpty { reportEmpty(place) }
        for (index, map) in maps.enumerated() {
            let here = Place(route: place.route, rule: place.rule, key: place.key, map: index)
            check(map, here)
            checkMeetable(map, here)
        }
        checkMeetable(requirement, from: route.credentialsFrom, place)
    }

    private mutating func check(_ map: Conditions, _ place: Place) {
        if map.users == nil, map.groups == nil, map.scopes == nil, map.factors == nil, map.maxAge == nil,
            map.credentials == nil
        {
            report(.emptyConditions, place, "a map without keys; `signed_in` lets in whoever is signed in")
        }
        if map.users?.isEmpty == true || map.groups?.isEmpty == true || map.scopes?.isEmpty == true
            || map.credentials?.isEmpty == true
        {
            reportEmpty(place)
        }
        for (item, group) in (map.groups ?? []).enumerated() where !GroupName.isValid(group) {
            report(.badGroup, place.at(item), "\"\(group)\" is no group name: 1 to 64 letters, digits and ._:@/-")
        }
        for (item, scope) in (map.scopes ?? []).enumerated() where !Self.isScope(scope) {
            report(
                .badScope, place.at(item), "\"\(scope)\" is no scope: printable ASCII without space, quote, backslash")
        }
        for (item, user) in (map.users ?? []).enumerated()
        where user.isEmpty || user.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            report(.badUser, place.at(item), "a user name is not empty and has no control characters")
        }
        if let age = map.maxAge, age <= .zero { report(.badAge, place, "`max_age` is more than nothing") }
    }

    private mutating func reportEmpty(_ place: Place) {
        report(.emptyList, place, "an empty list, which nothing can meet; leave the key out to set no condition")
    }

    /// A token (RFC 9110 section 5.6.2) without lower-case letters, which nobody who writes a rule means.
    private static func isMethod(_ method: String) -> Bool {
        !method.isEmpty && method.utf8.allSatisfy { IdentityHeaders.isToken($0) && !(0x61...0x7a).contains($0) }
    }

    /// A scope-token (RFC 6749 section 3.3).
    private static func isScope(_ scope: String) -> Bool {
        !scope.isEmpty
            && scope.utf8.allSatisfy {
                (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
    }
}

extension Place {
    fileprivate func at(_ item: Int) -> Place {
        Place(route: route, rule: rule, key: key, map: map, item: item)
    }
}
