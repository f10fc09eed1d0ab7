import Core
import Policy

/// Lends facts made from plain values.
func withFacts<R>(
    _ method: String = "GET", host: String = "wiki.example.com", path: String, address: String? = nil,
    preflight: Bool = false, now: Timestamp = .noon, _ body: (borrowing Facts) -> R
) -> R {
    let method = Array(method.utf8)
    let host = Array(host.utf8)
    let path = Array(path.utf8)
    let facts = Facts(
        method: method.span, host: host.span, path: path.span, clientAddress: address.flatMap { IPAddress($0) },
        isPreflight: preflight, now: now)
    return body(facts)
}

extension Timestamp {
    static let noon = Timestamp(seconds: 1_700_000_000)
}

extension CredentialState {
    static let revoked = CredentialState.refused(CredentialRefusal(.credentialRevoked))

    static func session(
        _ user: String = "anna", _ groups: [String] = [], factors: Int = 1, amr: [String] = ["pwd"], age: Int = 0,
        factorAge: Int? = nil
    ) -> CredentialState {
        .identity(
            Identity(
                kind: .session, credentialID: "s1", subject: "sub-\(user)", user: user, email: "\(user)@example.com",
                name: "Anna A", groups: groups, amr: amr, factors: factors,
                authenticatedAt: .noon - .seconds(age),
                secondFactorAt: factors < 2 ? nil : .noon - .seconds(factorAge ?? age), session: "s1"))
    }

    static func key(
        _ groups: [String] = [], scopes: [String]? = nil, bounds: KeyBounds? = nil, user: String = "robot"
    ) -> CredentialState {
        .identity(
            Identity(
                kind: .apiKey, credentialID: "k1", subject: "sub-\(user)", user: user, groups: groups, scopes: scopes,
                bounds: bounds))
    }

    static func foreign(_ groups: [String] = [], scopes: [String]? = nil) -> CredentialState {
        .identity(
            Identity(
                kind: .jwt, credentialID: "j1", subject: "corp:7", user: "corp:7", groups: groups, scopes: scopes,
                issuer: "corp"))
    }
}

/// A verdict as one line: `allow`, or the verdict and its reason.
struct Answer: Equatable, CustomStringConvertible {
    var verdict: Verdict
    var reason: Reason?
    var route: String?
    var rule: Int?

    var description: String { reason.map { "\(verdict.rawValue) \($0.rawValue)" } ?? verdict.rawValue }
}

extension Snapshot {
    func answer(
        _ path: String, _ credential: CredentialState = .none, method: String = "GET",
        host: String = "wiki.example.com", address: String? = nil, preflight: Bool = false, now: Timestamp = .noon
    ) -> Answer {
        withFacts(method, host: host, path: path, address: address, preflight: preflight, now: now) { facts in
            let judgement = decide(facts, route: route(for: facts), credential: credential)
            return Answer(
                verdict: judgement.verdict, reason: judgement.reason, route: judgement.route?.name,
                rule: judgement.ruleIndex)
        }
    }

    func says(
        _ path: String, _ credential: CredentialState = .none, method: String = "GET",
        host: String = "wiki.example.com", address: String? = nil, preflight: Bool = false, now: Timestamp = .noon
    ) -> String {
        answer(
            path, credential, method: method, host: host, address: address, preflight: preflight, now: now
        ).description
    }

    static func one(_ rules: [RuleDescription], _ change: (inout RouteDescription) -> Void = { _ in }) -> Snapshot {
        var route = RouteDescription(name: "wiki", rules: rules)
        change(&route)
        return many([route])
    }

    static func many(_ routes: [RouteDescription]) -> Snapshot {
        do {
            return try compile(routes)
        } catch {
            fatalError("\(error)")
        }
    }

    /// The example of the contract.
    static let contract = Snapshot.one([
        RuleDescription(.allow(.everyone), preflight: true),
        RuleDescription(.allow(.everyone), paths: ["/public/**"]),
        RuleDescription(
            .allow(.anyOf([Conditions(groups: ["admins"], factors: .two, maxAge: .seconds(900))])),
            paths: ["/admin/**"], name: "admin"),
        RuleDescription(
            .allow(
                .anyOf([
                    Conditions(groups: ["staff"], credentials: [.session]), Conditions(scopes: ["wiki:read"]),
                ])), paths: ["/api/**"]),
        RuleDescription(.allow(.anyOf([Conditions(groups: ["staff"])]))),
    ]) {
        $0.hosts = ["wiki.example.com"]
    }
}

extension Requirement {
    static func group(_ name: String) -> Requirement { .anyOf([Conditions(groups: [name])]) }
}

/// Seeded, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
