/// What the corpus is made for: the canary's address as clients see it, and what is known of its route.
struct Surroundings: Sendable {
    /// `http` or `https`.
    let scheme: String
    /// Of `--target`, with its port where that is not the usual one.
    let host: String
    /// Of `public_url`.
    let portal: String
    /// A path that everybody may see, below a folder of its own; nil: the route has none.
    let openPath: String?
    /// A path that needs a credential; nil: the route has none.
    let closedPath: String?
    /// The headers by which this route tells its app who is there.
    let identityNames: [String]
    /// The name of the session cookie.
    let cookie: String
    /// One of Gatehouse, which opens `closedPath`.
    let key: String?

    /// The host that nobody can own (RFC 6761), to which no answer may lead.
    static let elsewhere = "doctor.invalid"

    /// A key by its shape only.
    static let falseKey = "gate_" + String(repeating: "0", count: 49)
}
