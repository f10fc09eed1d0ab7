/// What a verdict may look at besides the identity. The spans borrow the bytes that will be forwarded: the same bytes
/// are judged and sent on. A check dialect fills this from its proxy's description.
public struct Facts: ~Escapable {
    /// The request method as it came (methods are case-sensitive, RFC 9110 section 9.1).
    public let method: Span<UInt8>
    /// The host as it came, with or without a port.
    public let host: Span<UInt8>
    /// The raw path of the target, without its query: begins with `/` (or is `*` for OPTIONS).
    public let path: Span<UInt8>
    /// The client's address; nil when it is not known, and then it is in no network.
    public let clientAddress: IPAddress?
    /// `OPTIONS` with `Origin` and `Access-Control-Request-Method` (a CORS preflight). Also where the method has
    /// lower-case letters (`options`): that is a preflight to whoever raises methods to upper case, and to nobody else.
    public let isPreflight: Bool
    /// The time of the judgement.
    public let now: Timestamp

    /// Borrows the three spans for as long as the value lives.
    @_lifetime(copy method, copy host, copy path)
    public init(
        method: Span<UInt8>, host: Span<UInt8>, path: Span<UInt8>, clientAddress: IPAddress?, isPreflight: Bool,
        now: Timestamp
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.clientAddress = clientAddress
        self.isPreflight = isPreflight
        self.now = now
    }
}
