/// A refusal of the hot path, to be gathered into the audit log.
public struct Denial: Sendable {
    /// Why; nil for a request that could not be read, where the list has no word.
    public var reason: Reason?
    /// The route's name; nil when none matched.
    public var route: String?
    /// The user name, as far as it is known.
    public var user: String?
    /// The subject, as far as it is known.
    public var subject: String?
    /// The credential's id, as far as it is known.
    public var credentialID: String?
    /// The client's address; nil when it is not known.
    public var address: IPAddress?
    /// The request's id.
    public var requestID: String
    /// When.
    public var at: Timestamp
    /// What was asked for; nil where there are too many refusals at once to keep each of them.
    public var asked: RefusedRequest?
    /// Another event of the audit log tells of it: it is only kept for whoever asks about its request.
    public var isAudited = false

    /// All fields, named as they are.
    public init(
        reason: Reason?, route: String?, user: String?, subject: String?, credentialID: String?, address: IPAddress?,
        requestID: String, at: Timestamp, asked: RefusedRequest? = nil
    ) {
        self.reason = reason
        self.route = route
        self.user = user
        self.subject = subject
        self.credentialID = credentialID
        self.address = address
        self.requestID = requestID
        self.at = at
        self.asked = asked
    }
}

/// The request behind a refusal, for whoever asks later what really happened. Bounded, and without the query, which may
/// hold secrets.
public struct RefusedRequest: Sendable, Hashable {
    /// The longest path that is kept, in bytes; the rest is cut off.
    public static let longestPath = 1024

    /// The method.
    public var method: String
    /// The host as it came, with its port.
    public var host: String
    /// The path as it came; cut after ``longestPath`` bytes.
    public var path: String
    /// The rule that decided, by its place in the route; nil when none did.
    public var rule: Int?
    /// The verdict: `deny`, `sign_in`, `step_up`.
    public var verdict: String
    /// How it was asked: `inline`, `check` or `portal`.
    public var shape: String
    /// What rules in the shadow would have decided, where it is something else.
    public var shadow: [ShadowVerdict]

    /// All fields, named as they are.
    public init(
        method: String, host: String, path: String, rule: Int?, verdict: String, shape: String,
        shadow: [ShadowVerdict] = []
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.rule = rule
        self.verdict = verdict
        self.shape = shape
        self.shadow = shadow
    }
}

/// What a rule in the shadow would have decided.
public struct ShadowVerdict: Sendable, Hashable, Codable {
    /// Its place in the route.
    public var rule: Int
    /// Its name, if it has one.
    public var ruleName: String?
    /// `allow`, `sign_in`, `step_up` or `deny`.
    public var verdict: String
    /// Why, unless it allows.
    public var reason: String?

    private enum CodingKeys: String, CodingKey {
        case rule, verdict, reason
        case ruleName = "rule_name"
    }

    /// All fields, named as they are.
    public init(rule: Int, ruleName: String?, verdict: String, reason: String?) {
        self.rule = rule
        self.ruleName = ruleName
        self.verdict = verdict
        self.reason = reason
    }
}

/// Where the hot path leaves what the audit log must know. One instance a loop; its calls only put a value into
/// bounded memory of that loop, and what does not fit is counted.
public protocol DecisionSink: AnyObject {
    /// A request was refused.
    func denied(_ denial: Denial)
    /// Whether a refusal of this time is to say what was asked for: not in a flood, which must stay cheap.
    func keepsRequest(at now: Timestamp) -> Bool
    /// A request with an identity was let through (for `access` events and `last used`).
    func allowed(_ identity: Identity, route: String, address: IPAddress?, at now: Timestamp)
    /// An identity was used for one of our own pages (for `last used` alone).
    func used(_ identity: Identity, address: IPAddress?, at now: Timestamp)
}
