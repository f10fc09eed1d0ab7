import Core
import HTTPWire
import Policy

/// Envoy's `ext_authz` by HTTP: the client's own method, its path behind `path_prefix`, its `Host`; 200 passes, any
/// other status is the client's answer, but a 5xx counts as a failure to ask.
enum EnvoyDialect: CheckDialect {
    static let name = "envoy"
    // The query is the client's.
    static let takesRouteName = false
    static let guidance = CheckGuidance.redirect
    static let emptiedField = EmptiedField.removed
    static let refusalsHaveBodies = true

    /// What `path_prefix` is.
    private static let prefix: StaticString = "/.auth/check/envoy"

    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        let head = incoming.head
        let path = UnsafeRawBufferPointer(
            rebasing: head.path.bytes(in: incoming.bytes).dropFirst(prefix.utf8CodeUnitCount))
        let host = head.host.bytes(in: incoming.bytes)
        guard path.first == UInt8(ascii: "/"), !host.isEmpty else { return DescriptionReading.missing }
        let description = CheckDescription(
            method: head.method.bytes(in: incoming.bytes), host: host, path: path, traits: head.pathTraits,
            query: head.query?.bytes(in: incoming.bytes))
        if let conflict = DescriptionReading.conflict(with: description, besides: -1, incoming) {
            return .failure(conflict)
        }
        return .success(description)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        let answer = RefusalAnswer(handedOn: verdict, reason, state: state)
        guard answer.status >= 500 else { return answer }
        return RefusalAnswer(status: 403, reason: reason, verdict: answer.verdict)
    }

    static func refusal(ofDescription reason: Reason) -> RefusalAnswer { RefusalAnswer(ofDescription: reason) }

    /// Names under which an app may look for a user or for another request than the one that was judged. Those that
    /// Envoy writes itself are not among them.
    private static let alwaysRemoved = [
        "gatehouse-key", "gatehouse-assertion", "remote-user", "remote-email", "remote-name", "remote-groups",
        "x-remote-user", "x-remote-email", "x-remote-name", "x-remote-groups", "x-auth-request-user",
        "x-auth-request-email", "x-auth-request-groups", "x-auth-request-preferred-username",
        "x-auth-request-access-token", "x-forwarded-access-token", "x-forwarded-user",
        "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username", "x-webauth-user",
        "x-webauth-email", "x-webauth-name", "x-webauth-groups", "x-original-url", "x-original-uri", "x-rewrite-url",
        "x-http-method-override", "x-http-method", "x-method-override", "forwarded",
    ]

    /// The start of the list of fields that Envoy takes out. It takes out what it has just put in, too.
    static func removals(keeping names: [String]) -> [UInt8] {
        let kept = Set((names + [IdentityHeaders.assertionName]).map { $0.lowercased() })
        let list = alwaysRemoved.filter { !kept.contains($0) }.joined(separator: ",")
        return Array("X-Envoy-Auth-Headers-To-Remove: \(list)".utf8)
    }
}
