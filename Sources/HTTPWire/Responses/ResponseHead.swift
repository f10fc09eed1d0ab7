/// One response's head; made once a connection and reused. All slices are of the buffer that was parsed.
public struct ResponseHead: Sendable {
    /// 100 to 999.
    public internal(set) var status = 0
    /// The text behind the status; may be empty.
    public internal(set) var reasonPhrase = Slice()
    /// The version of the status line.
    public internal(set) var version = HTTPVersion.http11
    /// All fields in their order.
    public internal(set) var fields: [HeaderField] = []
    /// How the body ends.
    public internal(set) var framing = ResponseFraming.none
    /// The connection may carry another request.
    public internal(set) var keepAlive = true
    /// The one acceptable token of `Upgrade` that `Connection` named; what a 101 switches to.
    public internal(set) var upgrade: Slice?
    /// The fields that `Connection` named.
    public internal(set) var connectionNames: [Slice] = []
    /// Bytes of the head with its last line end.
    public internal(set) var headLength = 0

    /// An empty head.
    public init() {
        fields.reserveCapacity(32)
    }

    /// 1xx but 101: another head follows.
    public var isInformational: Bool { status < 200 && status != 101 }

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

    mutating func clear() {
        fields.removeAll(keepingCapacity: true)
        connectionNames.removeAll(keepingCapacity: true)
        framing = .none
        upgrade = nil
    }
}
