import Core

extension Compiler {
    /// Reports a map that no credential can ever meet: its rule would let nobody in, or shut nobody out, whatever its
    /// author had in mind.
    ///
    /// - Parameter place: of the map.
    mutating func checkMeetable(_ map: Conditions, _ place: Place) {
        guard map.kinds(from: .all).isEmpty, map.credentials?.isEmpty != true else { return }
        report(
            .conditionsNeverMet, place,
            "no credential can ever meet this map: \(map.kindsSaid.joined(separator: ", "))")
    }

    /// The same of a whole rule, for what the route's `credentials_from` leaves.
    ///
    /// - Parameter place: of the rule's `allow` or `deny`.
    mutating func checkMeetable(_ requirement: Requirement, from sources: CredentialSources, _ place: Place) {
        guard case .anyOf(let maps) = requirement, !maps.isEmpty, !sources.isEmpty,
            maps.allSatisfy({ $0.kinds(from: sources).isEmpty }),
            // Whatever is wrong with the maps themselves is said of them.
            maps.allSatisfy({ !$0.kinds(from: .all).isEmpty })
        else { return }
        report(
            .ruleNeverMetHere, place,
            "no credential that the route's credentials_from looks for can ever meet this: "
                + maps.flatMap(\.kindsSaid).joined(separator: ", "))
    }
}

extension Conditions {
    /// The kinds of credential that may meet all keys, if they are looked for in `sources`.
    fileprivate func kinds(from sources: CredentialSources) -> Set<Identity.Kind> {
        var kinds = sources.kinds
        if let credentials { kinds.formIntersection(credentials) }
        if scopes != nil { kinds.formIntersection(Self.withScopes) }
        if factors != nil { kinds.formIntersection(Self.withFactors) }
        if maxAge != nil { kinds.formIntersection(Self.withAge) }
        return kinds
    }

    private static let withScopes: Set<Identity.Kind> = [.apiKey, .jwt]
    private static let withFactors: Set<Identity.Kind> = [.session]
    private static let withAge: Set<Identity.Kind> = [.session, .jwt]

    /// Which keys ask for which kinds.
    fileprivate var kindsSaid: [String] {
        var said: [String] = []
        if let credentials { said.append("credentials takes \(credentials.map(\.rawValue).joined(separator: " or "))") }
        if scopes != nil { said.append("scopes belong to api_key or jwt") }
        if factors != nil { said.append("factors are known of a session only") }
        if maxAge != nil { said.append("max_age is known of a session or jwt only") }
        return said
    }
}

extension CredentialSources {
    /// What may be found there. A client certificate is not looked for in any of them: it is there or not.
    fileprivate var kinds: Set<Identity.Kind> {
        var kinds: Set<Identity.Kind> = [.certificate]
        if contains(.cookie) { kinds.insert(.session) }
        if contains(.key) { kinds.insert(.apiKey) }
        // A key, an access token of a session, or a token of an issuer.
        if contains(.authorization) { kinds.formUnion([.apiKey, .session, .jwt]) }
        return kinds
    }
}
