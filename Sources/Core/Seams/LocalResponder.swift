/// A whole request for Gatehouse itself (below `/.auth/`), with the identity that was already resolved.
public struct LocalRequest: Sendable {
    /// The request method.
    public var method: String
    /// The raw path, without the query.
    public var path: String
    /// The raw query without `?`; nil when there is none.
    public var query: String?
    /// The host that was asked for, lower case and without port.
    public var host: String
    /// The header fields as they came, without credentials and cookies.
    public var headers: [(name: String, value: String)]
    /// The whole body, at most 64 KiB.
    public var body: [UInt8]
    /// Who asks, if anybody is known.
    public var identity: Identity?
    /// The client's address, if it is known.
    public var clientAddress: IPAddress?
    /// The request's id.
    public var requestID: String
    /// The cookie that this browser is known by after a sign-in; as it came, so it may be anything.
    public var deviceToken: String?
    /// The cookie that ties forms to the browser that they were shown to; as it came.
    public var browserToken: String?
    /// The answer is to be the page of this refusal, whatever the path says.
    public var refusal: Reason?
    /// Why nobody is known although a credential of ours came; nil when none came, or a good one.
    public var refusedCredential: Reason?

    /// All fields, named as they are.
    public init(
        method: String, path: String, query: String?, host: String, headers: [(name: String, value: String)],
        body: [UInt8], identity: Identity?, clientAddress: IPAddress?, requestID: String, deviceToken: String? = nil,
        browserToken: String? = nil, refusal: Reason? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.host = host
        self.headers = headers
        self.body = body
        self.identity = identity
        self.clientAddress = clientAddress
        self.requestID = requestID
        self.deviceToken = deviceToken
        self.browserToken = browserToken
        self.refusal = refusal
    }
}

/// A whole answer. Framing, `Date` and connection headers are the listener's.
public struct LocalResponse: Sendable {
    /// The status code; a refusal unless somebody says otherwise.
    public var status: Int
    /// Names and values, in order.
    public var headers: [(name: String, value: String)]
    /// The whole body.
    public var body: [UInt8]
    /// Why it is a refusal; nil: it is none, or one that the list of reasons has no word for.
    public var refusal: LocalRefusal?

    /// Starts as a refusal.
    public init(
        status: Int = 403, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        refusal: LocalRefusal? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.refusal = refusal
    }
}

/// Why somebody was refused at one of Gatehouse's own pages: for the header, the metrics, the log and the audit log.
public struct LocalRefusal: Sendable, Equatable {
    /// What would help; as the verdicts on an app's requests.
    public enum Verdict: Sendable {
        case deny, signIn, stepUp
    }

    public var reason: Reason
    public var verdict: Verdict
    /// The operation that refused has left an event of its own.
    public var isAudited: Bool

    /// All fields, named as they are.
    public init(_ reason: Reason, _ verdict: Verdict, isAudited: Bool) {
        self.reason = reason
        self.verdict = verdict
        self.isAudited = isAudited
    }
}

/// What the answer to a request waits for besides our own processor and disk. Each lane has places of its own: a crowd
/// that waits in one of them takes none of another's.
public enum LocalLane: Sendable, CaseIterable {
    /// Nothing.
    case prompt
    /// Its turn at the hash of a password.
    case password
    /// Somebody else's server.
    case provider
}

/// Answers requests for Gatehouse's own documents, pages and API, off the loops.
public protocol LocalResponder: Sendable {
    /// Where `request` waits. Asked on the loop, before anything is done for it.
    func lane(of request: LocalRequest) -> LocalLane

    /// Answers `request`; nil when it has nothing at that path, so that the next responder is asked.
    func respond(to request: LocalRequest) async -> LocalResponse?
}

extension LocalResponder {
    /// Prompt, whatever is asked for.
    public func lane(of request: LocalRequest) -> LocalLane { .prompt }
}
