/// How the end of a request's body is known (RFC 9112 section 6).
public enum BodyFraming: Sendable, Equatable {
    /// No body: neither a length nor chunks were announced.
    case none
    /// Exactly that many bytes; at most `Int64.max`.
    case length(UInt64)
    /// Chunks until the last one and its trailers.
    case chunked
}

/// How the end of a response's body is known.
public enum ResponseFraming: Sendable, Equatable {
    /// No body: 1xx, 204, 304, or an answer to HEAD.
    case none
    /// Exactly that many bytes.
    case length(UInt64)
    /// Chunks until the last one and its trailers.
    case chunked
    /// Everything until the connection closes.
    case untilClose
}
