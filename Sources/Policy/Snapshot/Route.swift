/// A route, compiled and immutable. Only ``Snapshot/compile(_:generation:)`` makes one.
public final class Route: Sendable {
    /// Its index in ``Snapshot/routes``, which is its index in the configuration.
    public let index: Int
    /// As configured; unique.
    public let name: String
    /// Canonical host patterns (A-labels); nil: any host.
    public let hosts: [String]?
    /// The audience of its assertions.
    public let audience: String
    /// Whether the app gets a signed assertion.
    public let assertion: Bool
    /// The names of its identity headers.
    public let headers: IdentityHeaders.Layout
    /// Where a credential of ours is looked for.
    public let credentialsFrom: CredentialSources
    /// The scheme of `WWW-Authenticate`.
    public let challenge: Challenge
    /// The scheme under which clients reach it.
    public let scheme: Scheme
    /// What is otherwise refused in a path.
    public let keepInPath: KeptInPath
    /// Whether its globs compare without regard to case.
    public let ignorePathCase: Bool
    /// Other origins from which an `Upgrade` by cookie may come, as configured.
    public let origins: [String]
    /// Whether its app gets the access token of the provider by which somebody has signed in.
    public let forwardsAccessToken: Bool
    /// The rendered identity headers of nobody, without an assertion.
    public let anonymousHeaders: [UInt8]

    let hostPatterns: [HostPattern]
    let paths: [PathGlob]
    let rules: [Rule]
    let groupsShown: GroupFilter

    init(
        index: Int, _ description: RouteDescription, hosts: [HostPattern], paths: [PathGlob], rules: [Rule]
    ) {
        self.index = index
        name = description.name
        self.hosts = description.hosts == nil ? nil : hosts.map(\.description)
        audience = description.audience ?? description.name
        assertion = description.assertion
        headers = description.headers
        credentialsFrom = description.credentialsFrom
        challenge = description.challenge
        scheme = description.scheme
        keepInPath = description.keepInPath
        ignorePathCase = description.ignorePathCase
        origins = description.origins
        forwardsAccessToken = description.forwardsAccessToken
        anonymousHeaders = description.headers.anonymousLines
        hostPatterns = hosts
        self.paths = paths
        self.rules = rules
        groupsShown = GroupFilter(description.groupsShown)
    }

    func takes(_ path: borrowing CanonicalPath) -> Bool {
        let compared = ignorePathCase ? path.folded : path.exact
        for glob in paths where glob.matches(compared) { return true }
        return false
    }
}
