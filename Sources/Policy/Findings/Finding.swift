/// Where in the list of routes something was found; Settings turns it into line and column.
public struct Place: Sendable, Hashable {
    /// The key of the route or rule.
    public enum Key: Sendable, Hashable {
        case name, hosts, paths, groupsShown, methods, networks, allow, deny
        /// The rule as a whole, or the route where ``Place/rule`` is nil.
        case rule
    }

    /// Index of the route.
    public let route: Int
    /// Index of the rule in it; nil when the route itself is meant.
    public let rule: Int?
    /// Which key.
    public let key: Key
    /// Index of the map in `allow` or `deny`.
    public let map: Int?
    /// Index in the key's list.
    public let item: Int?

    /// All fields, named as they are.
    public init(route: Int, rule: Int? = nil, key: Key = .rule, map: Int? = nil, item: Int? = nil) {
        self.route = route
        self.rule = rule
        self.key = key
        self.map = map
        self.item = item
    }
}

/// Something in the routes that cannot be meant.
public struct Finding: Sendable, Equatable {
    /// The kinds of findings.
    public enum Code: Sendable, Hashable {
        case badName, duplicateName, badHost, badGlob, badMethod, badGroup, badScope, badUser, badAge
        /// A list that nothing can meet.
        case emptyList
        /// A map without keys.
        case emptyConditions
        /// A map that no credential can ever meet.
        case conditionsNeverMet
        /// A rule whose maps no credential can meet that its route looks for; on another route it may be.
        case ruleNeverMetHere
        /// Two routes take one host and path.
        case sameHostAndPath
        /// Earlier routes take everything that this one would.
        case routeNeverMatches
        /// Earlier rules decide everything that this one would, or the route has no such path.
        case ruleNeverMatches
    }

    /// What kind.
    public let code: Code
    /// Nothing that contradicts what the routes are for: they can be compiled, and whoever wrote them is told.
    public var isWarning: Bool { code == .ruleNeverMetHere }
    /// Where.
    public let place: Place
    /// The earlier route or rule that is in the way.
    public let other: Place?
    /// What was found and what is allowed.
    public let message: String

    /// All fields, named as they are.
    public init(_ code: Code, at place: Place, other: Place? = nil, _ message: String) {
        self.code = code
        self.place = place
        self.other = other
        self.message = message
    }
}

/// What this target throws.
public struct PolicyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of errors; equality of errors is equality of these.
    public enum Code: Sendable, Hashable {
        /// The routes have findings.
        case invalidRoutes
        /// A header layout has a name that cannot be used.
        case badHeaderLayout
        /// A value that must not be put into a header.
        case unsafeValue
    }

    /// What kind.
    public let code: Code
    /// What went wrong and how to mend it; never contains the value of a header.
    public let message: String
    /// All of them, for `invalidRoutes`.
    public let findings: [Finding]

    /// - Parameter findings: only for `invalidRoutes`.
    public init(_ code: Code, _ message: String, findings: [Finding] = []) {
        self.code = code
        self.message = message
        self.findings = findings
    }

    public static func == (left: PolicyError, right: PolicyError) -> Bool { left.code == right.code }

    /// The message.
    public var description: String { message }
}
