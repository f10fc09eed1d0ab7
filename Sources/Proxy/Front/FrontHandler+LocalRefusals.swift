import Core
import HTTPWire
import Policy

/// Refusals by our own pages and API, and failures behind a verdict: in the same words, and in the same places, as the
/// verdicts on an app's requests.
extension FrontHandler {
    /// Counts what our own pages have answered, and notes it where it is a refusal.
    ///
    /// - Returns: why it is one.
    func noteLocalAnswer(_ response: LocalResponse) -> Reason? {
        guard let refusal = response.refusal else {
            loop.counters.countAllowed(route: -1, shape: .portal)
            return nil
        }
        noteLocalRefusal(refusal.reason, Verdict(refusal.verdict), isAudited: refusal.isAudited)
        return refusal.reason
    }

    /// What went wrong behind a verdict, which has been counted already where it was one on an app's request.
    func countFailure(_ reason: Reason?) {
        switch current.shape {
        case .portal: noteLocalRefusal(reason, .deny, isAudited: false)
        case .inline:
            guard let reason else { return }
            loop.counters.countRefused(
                route: countedRoute, shape: .inline, verdict: reason == .upstreamFailed ? .allow : .deny,
                reason: reason)
        case .check: break
        }
    }

    private func noteLocalRefusal(_ reason: Reason?, _ verdict: Verdict, isAudited: Bool) {
        loop.counters.countRefused(route: -1, shape: .portal, verdict: verdict, reason: reason)
        guard let request = localRequest else { return }
        localRequest = nil
        let host = request.headers.first { $0.name.lowercased() == "host" }?.value ?? request.host
        let path = Self.withoutToken(String(request.path.prefix(RefusedRequest.longestPath)))
        if current.access == nil, site.configuration.requestLog != .none {
            current.access = AccessNote(
                method: request.method, host: host, path: path, verdict: verdict, reason: reason)
            current.access?.name(localCredential)
        }
        current.access?.verdict = verdict
        current.access?.reason = reason
        guard let reason else { return }
        let now = loop.clock.now()
        var denial = Denial(
            reason: reason, route: nil, user: request.identity?.user, subject: request.identity?.subject,
            credentialID: request.identity?.credentialID, address: current.clientAddress,
            requestID: current.id.text, at: now)
        if case .refused(let bad) = localCredential {
            denial.user = bad.user
            denial.subject = bad.subject
            denial.credentialID = bad.credentialID
        }
        denial.isAudited = isAudited
        if loop.context.decisions.keepsRequest(at: now) {
            denial.asked = RefusedRequest(
                method: String(request.method.prefix(64)), host: String(host.prefix(260)), path: path, rule: nil,
                verdict: verdict.rawValue, shape: current.shape.label)
        } else if isAudited {
            return
        }
        loop.context.decisions.denied(denial)
    }
}

extension Verdict {
    fileprivate init(_ verdict: LocalRefusal.Verdict) {
        switch verdict {
        case .deny: self = .deny
        case .signIn: self = .signIn
        case .stepUp: self = .stepUp
        }
    }
}
