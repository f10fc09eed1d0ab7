/// Sends the corpus, one request after the other, and gathers what it shows.
struct Examination: Sendable {
    let place: Surroundings
    let client: ProbeClient
    let canary: CanaryApp
    let isOpen: @Sendable (_ method: String, _ target: String) -> Bool
    /// Tells runs apart.
    let nonce: String

    struct Result: Sendable {
        var findings: [Finding] = []
        var requests = 0
        /// The `Server` header of the proxy.
        var server: String?
        /// What could not be looked at, and why.
        var notExamined: [String] = []
    }

    /// Why nothing can be said.
    struct Unreachable: Error {
        let problem: String
    }

    func run() async throws -> Result {
        var result = Result()
        let identity = try await control(&result)
        let judgement = Judgement(place: place, isOpen: isOpen, identity: identity)
        for probe in Corpus.probes(for: place) {
            let outcome = try await send(probe, &result)
            for finding in judgement.findings(in: outcome) where !result.findings.contains(finding) {
                result.findings.append(finding)
            }
        }
        if place.key == nil {
            result.notExamined.append("what a signed-in user's request brings to the app: no --key-file was given")
        }
        if place.openPath == nil { result.notExamined.append("requests that everybody may make: no rule allows any") }
        if place.closedPath == nil { result.notExamined.append("ways past the check: the route is open to everybody") }
        return result
    }

    /// What must work before anything can be said: the canary gets what it should, and of the key's owner everything.
    private func control(_ result: inout Result) async throws -> [String: String] {
        if let path = place.openPath {
            let outcome = try await send(Probe(name: "control", target: path, test: .keepsMarksOut), &result)
            result.server = outcome.answer?.values("server").first
            guard !outcome.arrivals.isEmpty else { throw Unreachable(problem: missing(path, outcome)) }
        }
        guard let path = place.closedPath, let key = place.key else { return [:] }
        // The key is a real one: whoever is there first shows, without it, that Gatehouse is asked or the canary behind him.
        let unsigned = try await send(
            Probe(name: "control, not signed in", target: path, test: .keepsMarksOut), &result)
        guard !unsigned.arrivals.isEmpty || unsigned.answer?.isRefusal(portal: place.portal) == true else {
            let answer = unsigned.answer.map { "was answered \($0.status)" } ?? "was not answered"
            throw Unreachable(
                problem: """
                    GET \(path) without a credential \(answer), which is no refusal of Gatehouse (no Gatehouse-Reason, no \
                    redirect to \(place.portal)): the key was not sent
                    """)
        }
        let probe = Probe(
            name: "control, signed in", target: path, fields: [Probe.Field("X-API-Key", key)], usesKey: true,
            test: .keepsIdentity)
        let outcome = try await send(probe, &result)
        result.server = result.server ?? outcome.answer?.values("server").first
        guard let arrival = outcome.arrivals.first else { throw Unreachable(problem: missing(path, outcome)) }
        var identity: [String: String] = [:]
        for name in place.identityNames {
            let values = arrival.values(folded: HeaderText.fold(name))
            if values.count == 1 { identity[HeaderText.fold(name)] = values[0] }
        }
        // Of a name and of an e-mail there may be none; of a user there is one, and it stands first.
        if let first = place.identityNames.first, identity[HeaderText.fold(first), default: ""].isEmpty {
            result.findings.append(
                Finding(
                    fault: .identityMissing, subject: first, sent: "GET \(path) (signed in)",
                    seen: "the app got no \(first)"))
        }
        return identity
    }

    private func missing(_ path: String, _ outcome: Outcome) -> String {
        let answer = outcome.answer.map { "it answered \($0.status)" } ?? "it did not answer"
        return "GET \(path) did not come to the canary: \(answer)"
    }

    private func send(_ probe: Probe, _ result: inout Result) async throws -> Outcome {
        let id = "\(nonce)-\(result.requests)"
        result.requests += 1
        var outcome = Outcome(probe: probe)
        outcome.answer = try await client.send(probe.bytes(host: place.host, id: id))
        outcome.arrivals = canary.take(id)
        return outcome
    }
}
