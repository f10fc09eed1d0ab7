public import Core

/// Verdicts on a route that was named, where a proxy's own configuration says which one it asks about.
extension Snapshot {
    /// - Parameter name: as configured, letters compared as they are.
    /// - Returns: nil when no route is called that.
    public func route(named name: [UInt8]) -> Route? {
        routes.first { $0.name.utf8.elementsEqual(name) }
    }

    /// As ``decide(_:route:credential:)``, on `route`, whose paths are held against the request in every reading of its
    /// path; what it does not take is `no_route`.
    ///
    /// A name only ever makes the answer stricter: the proxy chose the app by its own reading of host and path, and where
    /// the request is another route's by ours, that one's verdict holds if it is stricter. Only on a host of which no
    /// route is known does the name alone decide.
    public func decide(_ facts: borrowing Facts, named route: Route, credential: CredentialState) -> Judgement {
        guard MethodReadings.areTwo(facts.method) else {
            return Judgement(opinion(facts, named: route, credential))
        }
        let raised = MethodReadings.raised(facts.method)
        var opinion = opinion(MethodReadings.asSent(facts), named: route, credential)
        opinion.tighten(self.opinion(MethodReadings.raised(facts, raised.span), named: route, credential))
        return Judgement(opinion)
    }

    /// One reading of the method, all of the path.
    private func opinion(_ facts: borrowing Facts, named route: Route, _ credential: CredentialState) -> Opinion {
        let unclear = Opinion.refusal(.pathRefused, route: route, identity: credential.identity)
        switch PathScan(facts.path) {
        case .refused: return unclear
        case .plain(let count):
            let path = CanonicalPath(facts.path.extracting(0..<count))
            return judge(facts, path, traits: PathTraits(), named: route, credential)
        case .encoded:
            guard let readings = PathReadings(facts.path), route.keepInPath.isSuperset(of: readings.traits.mustBeKept)
            else { return unclear }
            var strictest: Opinion?
            for reading in readings.paths {
                let folded = CanonicalPath.folding(reading)
                let path = CanonicalPath(reading.span, folded: folded.span)
                let opinion = judge(facts, path, traits: readings.traits, named: route, credential)
                strictest?.tighten(opinion)
                strictest = strictest ?? opinion
            }
            return strictest ?? unclear
        }
    }

    /// One reading: the named route's opinion, and that of the route on which it falls if it is another.
    private func judge(
        _ facts: borrowing Facts, _ path: borrowing CanonicalPath, traits: PathTraits, named: Route,
        _ credential: CredentialState
    ) -> Opinion {
        let nobodys = Opinion.refusal(.noRoute, route: named, identity: credential.identity)
        guard named.takes(path), let candidates = candidates(facts.host) else { return nobodys }
        var opinion = Self.judge(facts, path, on: named, credential)
        guard !candidates.isEmpty else { return opinion }
        guard let found = route(host: facts.host, path) else { return nobodys }
        if found !== named {
            opinion.tighten(judge(facts, path, traits: traits, on: found, primary: named, credential))
        }
        return opinion
    }
}
