public import Core

/// Tells an app who it is dealing with: one renderer for the proxy, the check endpoints and `explain`. Every header of
/// the layout is always there, empty where there is nothing to say, so that nothing a client sent under its name can
/// survive.
public enum IdentityHeaders {
    /// The header of the signed assertion.
    public static let assertionName = "Gatehouse-Assertion"
    /// How many bytes of groups, commas included, an app is told.
    public static let maximumGroupBytes = 2048

    /// The header lines, each `Name: value` and CRLF.
    ///
    /// - Parameter assertion: the compact token; nil or empty without one.
    /// - Throws: `unsafeValue` when a value holds a control byte, or a user name or e-mail begins or ends with a space
    ///   (which its reader would drop); the request is refused then.
    public static func render(
        _ identity: Identity?, for route: Route, assertion: [UInt8]?
    ) throws(PolicyError) -> [UInt8] {
        guard let identity else { return route.anonymousHeaders }
        var lines: [UInt8] = []
        lines.reserveCapacity(256 + (assertion?.count ?? 0))
        for header in route.headers.headers {
            append(header.name, try value(header.field, of: identity, on: route).utf8, to: &lines)
        }
        let token = route.assertion ? assertion ?? [] : []
        try check(token, assertionName)
        append(assertionName, token, to: &lines)
        return lines
    }

    /// The same as names and values.
    public static func fields(
        _ identity: Identity?, for route: Route, assertion: [UInt8]?
    ) throws(PolicyError) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for header in route.headers.headers {
            var text = ""
            if let identity { text = try value(header.field, of: identity, on: route) }
            fields.append((header.name, text))
        }
        let token = identity != nil && route.assertion ? assertion ?? [] : []
        try check(token, assertionName)
        fields.append((assertionName, String(decoding: token, as: UTF8.self)))
        // Of a session that began by a provider; nobody else has one.
        if route.forwardsAccessToken { fields.append((accessTokenName, "")) }
        return fields
    }

    /// The groups that the app behind `route` is told, in their order: those that its globs show and whose names are
    /// group names, as far as they fit.
    ///
    /// - Returns: also whether some were left out for size.
    public static func shownGroups(of identity: Identity, on route: Route) -> (groups: [String], truncated: Bool) {
        var shown: [String] = []
        var size = 0
        for group in identity.groups where GroupName.isValid(group) && route.groupsShown.shows(group) {
            size += group.utf8.count + (shown.isEmpty ? 0 : 1)
            if size > maximumGroupBytes { return (shown, true) }
            shown.append(group)
        }
        return (shown, false)
    }

    private static func value(
        _ field: Field, of identity: Identity, on route: Route
    ) throws(PolicyError) -> String {
        switch field {
        case .user: return try exact(identity.user, field)
        case .email: return try exact(identity.email ?? "", field)
        case .name:
            try check(identity.name.utf8, field.rawValue)
            guard identity.name.utf8.first == 0x20 || identity.name.utf8.last == 0x20 else { return identity.name }
            return String(identity.name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        case .groups: return shownGroups(of: identity, on: route).groups.joined(separator: ",")
        }
    }

    private static func exact(_ value: String, _ field: Field) throws(PolicyError) -> String {
        try check(value.utf8, field.rawValue)
        if value.utf8.first == 0x20 || value.utf8.last == 0x20 {
            throw PolicyError(.unsafeValue, "the \(field.rawValue) begins or ends with a space and is not forwarded")
        }
        return value
    }

    private static func check(_ value: some Sequence<UInt8>, _ what: String) throws(PolicyError) {
        if value.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw PolicyError(.unsafeValue, "the \(what) holds a control byte and is not forwarded")
        }
    }

    private static func append(_ name: String, _ value: some Collection<UInt8>, to lines: inout [UInt8]) {
        lines.append(contentsOf: name.utf8)
        lines.append(UInt8(ascii: ":"))
        if !value.isEmpty { lines.append(UInt8(ascii: " ")) }
        lines.append(contentsOf: value)
        lines.append(0x0d)
        lines.append(0x0a)
    }
}

/// Which groups an app is told (`groups_shown`), compiled.
struct GroupFilter: Sendable {
    private let globs: [[UInt8]]
    private let showsAll: Bool

    init(_ globs: [String]) {
        self.globs = globs.map { Array($0.utf8) }
        showsAll = globs.contains("*")
    }

    func shows(_ group: String) -> Bool {
        if showsAll { return true }
        let name = Array(group.utf8)
        for glob in globs
        where Wildcard.matches(glob.span, 0..<glob.count, name.span, 0..<name.count, folds: false) { return true }
        return false
    }
}
