import Core
import HTTPWire
import Policy

/// nginx's `auth_request`: `X-Original-URL` (`$scheme://$host$request_uri`), `X-Original-Method` and
/// `X-Forwarded-For`; every 2xx passes, 401 and 403 refuse, anything else is a 500 for the client.
enum NginxDialect: CheckDialect {
    static let name = "nginx"
    // A sub-request has no query but the one that is written behind its address.
    static let takesRouteName = true
    static let guidance = CheckGuidance.locationBeside
    static let emptiedField = EmptiedField.empty
    static let refusalsHaveBodies = true

    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        let fields = incoming.head.fields
        let bytes = incoming.bytes
        var url = -1
        var method = -1
        for index in fields.indices {
            if fields[index].id == .xOriginalURL, url < 0 { url = index }
            if fields[index].id == .xOriginalMethod, method < 0 { method = index }
        }
        guard url >= 0, method >= 0 else { return DescriptionReading.missing }
        let target = fields[url].value.bytes(in: bytes)
        let methodBytes = fields[method].value.bytes(in: bytes)
        guard !target.isEmpty else { return DescriptionReading.missing }
        if let failure = DescriptionReading.failure(ofMethod: methodBytes) { return .failure(failure) }
        let parts: RequestTarget.Parts
        do {
            parts = try RequestTarget.check(target)
        } catch {
            return .failure(DescriptionReading.failure(of: error))
        }
        // Without an authority there is no host to judge by, and the sub-request's own is not the client's.
        guard !parts.authority.isEmpty, !parts.isAsterisk else { return DescriptionReading.missing }
        let description = CheckDescription(
            method: methodBytes, host: parts.authority.bytes(in: target), path: parts.path.bytes(in: target),
            traits: parts.traits, query: parts.query?.bytes(in: target))
        if let conflict = DescriptionReading.conflict(with: description, besides: url, incoming) {
            return .failure(conflict)
        }
        return .success(description)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        RefusalAnswer(narrow: verdict, reason, state: state)
    }

    static func refusal(ofDescription reason: Reason) -> RefusalAnswer {
        RefusalAnswer(status: 403, reason: reason, verdict: .deny)
    }
}
