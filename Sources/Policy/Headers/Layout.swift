extension IdentityHeaders {
    /// What an identity header can carry.
    public enum Field: String, Sendable, Hashable, CaseIterable {
        /// The user name.
        case user
        /// The e-mail address.
        case email
        /// The display name.
        case name
        /// The groups that this app is told, joined by commas.
        case groups
    }

    /// The layouts that have a name.
    public enum Preset: String, Sendable, Hashable, CaseIterable {
        /// `Remote-User` and so on.
        case remote
        /// `X-Auth-Request-User` and so on.
        case xAuthRequest = "x-auth-request"
        /// `X-Forwarded-User` and so on.
        case xForwarded = "x-forwarded"
    }

    /// One header of a layout.
    public struct Header: Sendable, Hashable {
        /// What it carries.
        public let field: Field
        /// How it is called.
        public let name: String
    }

    /// Which headers tell the app who it is, in the order in which they are written.
    public struct Layout: Sendable, Hashable {
        /// Without the assertion, which every layout has.
        public let headers: [Header]

        private init(_ headers: [Header]) {
            self.headers = headers
        }

        /// A layout with a name.
        public static func preset(_ preset: Preset) -> Layout {
            let prefix: String
            switch preset {
            case .remote:
                return Layout([
                    Header(field: .user, name: "Remote-User"), Header(field: .email, name: "Remote-Email"),
                    Header(field: .name, name: "Remote-Name"), Header(field: .groups, name: "Remote-Groups"),
                ])
            case .xAuthRequest: prefix = "X-Auth-Request-"
            case .xForwarded: prefix = "X-Forwarded-"
            }
            return Layout([
                Header(field: .user, name: prefix + "User"), Header(field: .email, name: prefix + "Email"),
                Header(field: .user, name: prefix + "Preferred-Username"),
                Header(field: .groups, name: prefix + "Groups"),
            ])
        }

        /// A layout of the operator's own names.
        ///
        /// - Throws: `badHeaderLayout` for a name that cannot be used, or two that a server could take for one.
        public init(_ names: [(field: Field, name: String)]) throws(PolicyError) {
            var seen: [String] = []
            for (field, name) in names {
                if let problem = Self.problem(withHeaderName: name) {
                    throw PolicyError(.badHeaderLayout, "\(field.rawValue): \(problem)")
                }
                let canonical = IdentityHeaders.canonical(name)
                if seen.contains(canonical) {
                    throw PolicyError(
                        .badHeaderLayout, "\(field.rawValue): servers take \"\(name)\" and another name here for one")
                }
                seen.append(canonical)
            }
            headers = names.map { Header(field: $0.field, name: $0.name) }
        }

        /// Why a name cannot carry an identity; nil when it can.
        public static func problem(withHeaderName name: String) -> String? {
            guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(IdentityHeaders.isToken) else {
                return "\"\(name)\" is no header name"
            }
            let canonical = IdentityHeaders.canonical(name)
            if canonical.hasPrefix("gatehouse-") || canonical.hasPrefix("proxy-") || reserved.contains(canonical) {
                return "\"\(name)\" has a meaning of its own and cannot carry an identity"
            }
            return nil
        }

        private static let reserved: Set<String> = [
            "accept", "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie",
            "date", "expect", "forwarded", "host", "keep-alive", "origin", "range", "set-cookie", "te", "traceparent",
            "tracestate", "trailer", "transfer-encoding", "upgrade", "via", "x-api-key", "x-forwarded-access-token",
            "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id",
        ]

        /// All names that the layout writes, the assertion's with them: what a client sent under them is taken out.
        public var headerNames: [String] { headers.map(\.name) + [IdentityHeaders.assertionName] }

        var anonymousLines: [UInt8] {
            headerNames.flatMap { Array($0.utf8) + Array(":\r\n".utf8) }
        }
    }

    /// What servers that fold names cannot tell apart is equal in this form: lower case, everything but letters and
    /// digits a dash.
    static func canonical(_ name: String) -> String {
        String(
            decoding: name.utf8.map { byte -> UInt8 in
                let lower = Wildcard.folded(byte)
                return (0x61...0x7a).contains(lower) || (0x30...0x39).contains(lower) ? lower : UInt8(ascii: "-")
            }, as: UTF8.self)
    }

    /// A `tchar` (RFC 9110 section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case _: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
