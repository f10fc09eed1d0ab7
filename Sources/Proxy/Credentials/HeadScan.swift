import HTTPWire

/// Where the fields stand that an exchange looks at, or how many there are, found in one pass over the head. An index of
/// -1: not there.
struct HeadScan {
    var authorizations = 0
    var gatehouseKeys = 0
    var apiKeys = 0
    /// Unknown names that are as long as `X-API-Key`, and may be it in another spelling.
    var possibleAliases = 0
    var cookies = 0
    var forwardedFor = 0
    var requestID = -1
    var vias = 0
    var traceparent = -1
    var traceparents = 0
    var proxySecret = -1
    var proxySecrets = 0
    var origin = -1
    var origins = 0
    var hasRequestMethod = false
    var hasRequestedWith = false
    /// `Sec-Fetch-Mode`, `Sec-Fetch-Dest` and `Accept`, to know a navigation.
    var fetchMode = -1
    var fetchDestination = -1
    var accept = -1

    static let aliasLength = 9

    init(_ fields: [HeaderField]) {
        for index in fields.indices {
            let id = fields[index].id
            if id == .other {
                if fields[index].name.count == Self.aliasLength { possibleAliases += 1 }
            } else {
                note(id, at: index)
            }
        }
    }

    @inline(__always)
    private mutating func note(_ id: FieldID, at index: Int) {
        switch id {
        case .authorization: authorizations += 1
        case .gatehouseKey: gatehouseKeys += 1
        case .xAPIKey: apiKeys += 1
        case .cookie: cookies += 1
        case .xForwardedFor: forwardedFor += 1
        case .xRequestID: requestID = index
        case .via: vias += 1
        case .traceparent:
            traceparent = index
            traceparents += 1
        case .gatehouseProxySecret:
            proxySecret = index
            proxySecrets += 1
        case .origin:
            origin = index
            origins += 1
        case .accessControlRequestMethod: hasRequestMethod = true
        case .secFetchMode: fetchMode = index
        case .secFetchDest: fetchDestination = index
        case .accept: accept = index
        case .xRequestedWith: hasRequestedWith = true
        // Of no interest here, and neither is a name that is told apart later.
        default: break
        }
    }

    /// `OPTIONS` with `Origin` and `Access-Control-Request-Method` is a CORS preflight.
    var mayBePreflight: Bool { origins > 0 && hasRequestMethod }

    /// A GET or HEAD by which a person opens a page: `Sec-Fetch-Mode: navigate` with destination `document`, or, where
    /// that header is absent, an `Accept` that names HTML.
    func isNavigation(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard head.methodKind == .get || head.methodKind == .head else { return false }
        if fetchMode >= 0 {
            guard fetchDestination >= 0 else { return false }
            return ASCIIText.equalsIgnoringCase(head.fields[fetchMode].value.bytes(in: bytes), "navigate")
                && ASCIIText.equalsIgnoringCase(head.fields[fetchDestination].value.bytes(in: bytes), "document")
        }
        guard accept >= 0 else { return false }
        return ByteSearch.contains(head.fields[accept].value.bytes(in: bytes), "text/html")
    }
}
