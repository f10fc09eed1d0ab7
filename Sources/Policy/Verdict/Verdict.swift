public import Core

/// What is to be done with a request. Ordered by strictness: where a path has several readings the greatest holds.
public enum Verdict: String, Sendable, CaseIterable, Comparable {
    /// It passes.
    case allow
    /// It would have to say who it is.
    case signIn = "sign_in"
    /// Who it is would do, but a second factor or a fresh one is missing.
    case stepUp = "step_up"
    /// It does not pass.
    case deny

    private var strictness: Int {
        switch self {
        case .allow: 0
        case .signIn: 1
        case .stepUp: 2
        case .deny: 3
        }
    }

    public static func < (left: Verdict, right: Verdict) -> Bool { left.strictness < right.strictness }
}

/// What the credentials of a request came to.
public enum CredentialState: Sendable {
    /// There is none of ours.
    case none
    /// A valid one.
    case identity(Identity)
    /// One of ours that is not valid. Only `everyone` passes it, as anonymous.
    case refused(CredentialRefusal)

    var identity: Identity? {
        if case .identity(let identity) = self { identity } else { nil }
    }
}

/// What a rule with `shadow: true` would have decided.
public struct ShadowResult: Sendable, Hashable {
    /// The rule's index in its route's rules, or in the rule set that they are from.
    public let ruleIndex: Int
    /// The rule's name, if it has one.
    public let ruleName: String?
    /// Its verdict.
    public let verdict: Verdict
    /// Why, unless it allows.
    public let reason: Reason?
}

/// The proof that a request was let through: only ``Snapshot/decide(_:route:credential:)`` makes one, it cannot be
/// copied, and forwarding consumes it. There is no other initialiser to reach from outside, so
/// `Permit(identity: nil, route: route)` does not compile in any other target.
public struct Permit: ~Copyable, Sendable {
    /// Who the app is told about; nil is nobody.
    public let identity: Identity?
    /// Where it goes.
    public let route: Route

    init(identity: Identity?, route: Route) {
        self.identity = identity
        self.route = route
    }
}

/// One verdict on one request.
public struct Judgement: ~Copyable, Sendable {
    let opinion: Opinion

    init(_ opinion: Opinion) {
        self.opinion = opinion
    }

    /// What is to be done.
    public var verdict: Verdict { opinion.verdict }
    /// Why not; nil exactly when it is allowed.
    public var reason: Reason? { opinion.reason }
    /// The route of the reading that decided; nil when there is none.
    public var route: Route? { opinion.route }
    /// The index of the rule that decided, in the route's rules or in the rule set that they are from; nil when none did.
    public var ruleIndex: Int? { opinion.ruleIndex }
    /// That rule's name, if it has one.
    public var ruleName: String? { opinion.ruleName }
    /// On `allow` who the app is told about (nil is nobody), else who was judged, as far as that is known.
    public var identity: Identity? { opinion.identity }
    /// What rules in the shadow would have decided.
    public var shadow: [ShadowResult] { opinion.shadow }

    /// The permit, once, when the verdict is `allow`.
    public consuming func permit() -> Permit? {
        guard opinion.verdict == .allow, opinion.reason == nil, let route = opinion.route else { return nil }
        return Permit(identity: opinion.identity, route: route)
    }
}

/// A judgement while it may still be copied and replaced by a stricter one. Starts as a refusal.
struct Opinion: Sendable {
    var verdict: Verdict = .deny
    var reason: Reason? = .noRoute
    var route: Route?
    var ruleIndex: Int?
    var ruleName: String?
    var identity: Identity?
    var shadow: [ShadowResult] = []

    static func refusal(_ reason: Reason, route: Route? = nil, identity: Identity? = nil) -> Opinion {
        Opinion(reason: reason, route: route, identity: identity)
    }

    /// The stricter of two; this one where they are equally strict. Of the other stays what its shadow would have
    /// refused: enforced, that would be the strictest.
    mutating func tighten(_ other: Opinion) {
        let lost: Opinion
        if other.verdict > verdict {
            lost = self
            self = other
        } else {
            lost = other
        }
        guard !lost.shadow.isEmpty, lost.route === route else { return }
        for result in lost.shadow
        where result.verdict > verdict && !shadow.contains(where: { $0.ruleIndex == result.ruleIndex }) {
            shadow.append(result)
        }
    }
}
