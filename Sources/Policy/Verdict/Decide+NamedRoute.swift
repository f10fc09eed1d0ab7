public import Core

/// Verdicts on a route that was named, where a proxy's own configuration says which one it asks about.
extension Snapshot {
    /// - Parameter name: as configured, letters compared as they are.
    /// - Returns: nil when no route is called that.
    public func route(named name: [UInt8]) -> Route? {
        routes.first { $0.name.utf8.elementsEqual(name) }
    }

    /// As ``decide(_:route:credential:)``, on `route` whatever the host: only its paths are held against the request, in
    /// every reading of its path. What it does not take is `no_route`; another route never answers in its place.
    public func decide(_ facts: borrowing Facts, named route: Route, credential: CredentialState) -> Judgement {
        let nobodys = Opinion.refusal(.noRoute, route: route, identity: credential.identity)
        let unclear = Opinion.refusal(.pathRefused, route: route, identity: credential.identity)
        switch PathScan(facts.path) {
        case .refused: return Judgement(unclear)
        case .plain(let count):
            let path = CanonicalPath(facts.path.extracting(0..<count))
            return Judgement(route.takes(path) ? Self.judge(facts, path, on: route, credential) : nobodys)
        case .encoded:
            guard let readings = PathReadings(facts.path), route.keepInPath.isSuperset(of: readings.traits.mustBeKept)
            else { return Judgement(unclear) }
            var strictest: Opinion?
            for reading in readings.paths {
                let folded = CanonicalPath.folding(reading)
                let path = CanonicalPath(reading.span, folded: folded.span)
                let opinion = route.takes(path) ? Self.judge(facts, path, on: route, credential) : nobodys
                strictest?.tighten(opinion)
                strictest = strictest ?? opinion
            }
            return Judgement(strictest ?? unclear)
        }
    }
}
