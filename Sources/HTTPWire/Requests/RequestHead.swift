/// One request's head. Made once a connection and filled again for every request: its storage is reused, so that after
/// the first few requests a parse allocates nothing. All slices are of the buffer that was parsed.
public struct RequestHead: Sendable {
    /// The method as it came.
    public internal(set) var method = Slice()
    /// The method, classified.
    public internal(set) var methodKind = Method.other
    /// The whole target as it came; for the log. Forwarded is `path`, and `?` with `query` where there is one.
    public internal(set) var target = Slice()
    /// Begins with `/` always, or is `*` (then `isAsterisk`).
    public internal(set) var path = Slice()
    /// Without its `?`; nil when there is none.
    public internal(set) var query: Slice?
    /// `OPTIONS *`: about the server itself, to be answered by us.
    public internal(set) var isAsterisk = false
    /// The host with its port if one came, case kept. Empty only in HTTP/1.0 without `Host`.
    public internal(set) var host = Slice()
    /// The version of the request line.
    public internal(set) var version = HTTPVersion.http11
    /// All fields in their order.
    public internal(set) var fields: [HeaderField] = []
    /// How the body ends.
    public internal(set) var framing = BodyFraming.none
    /// The connection may carry another request: no `close`, in HTTP/1.0 only when asked for.
    public internal(set) var keepAlive = true
    /// `100-continue` in HTTP/1.1 with a body to come.
    public internal(set) var expectContinue = false
    /// The one acceptable token of `Upgrade` that `Connection` named, in HTTP/1.1 without a body; nil otherwise, and
    /// then the request is an ordinary one.
    public internal(set) var upgrade: Slice?
    /// What the path holds; `RequestTarget.refusal(for:keeping:)` says whether a route lets it pass.
    public internal(set) var pathTraits: PathTraits = []
    /// The fields that `Connection` named.
    public internal(set) var connectionNames: [Slice] = []
    /// Bytes of the head with its last line end: where the body begins.
    public internal(set) var headLength = 0

    /// An empty head with room for a browser's fields.
    public init() {
        fields.reserveCapacity(32)
    }

    /// The first field of that kind.
    public func firstField(_ id: FieldID) -> HeaderField? {
        for field in fields where field.id == id { return field }
        return nil
    }

    /// How many fields of that kind came.
    public func count(of id: FieldID) -> Int {
        var count = 0
        for field in fields where field.id == id { count += 1 }
        return count
    }

    /// What only some requests have, back to nothing; the request line sets the rest.
    @inline(__always)
    mutating func clear() {
        fields.removeAll(keepingCapacity: true)
        if !connectionNames.isEmpty { connectionNames.removeAll(keepingCapacity: true) }
        query = nil
        host = Slice()
        isAsterisk = false
        framing = .none
        expectContinue = false
        upgrade = nil
        pathTraits = []
    }
}
