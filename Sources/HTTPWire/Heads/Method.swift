/// The methods that matter to routing and framing. CONNECT and TRACE are refused at parse and never appear.
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, options, patch
    /// Any other token; its bytes are in the head.
    case other

    /// Safe in the sense of RFC 9110 section 9.2.1; unknown methods are not.
    public var isSafe: Bool { self == .get || self == .head || self == .options }

    /// Idempotent in the sense of RFC 9110 section 9.2.2; unknown methods are not.
    public var isIdempotent: Bool { isSafe || self == .put || self == .delete }

    /// The method with exactly these bytes: methods are case-sensitive.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> Method {
        switch bytes.count {
        case 3:
            if ASCIIText.equals(bytes, "GET") { return .get }
            if ASCIIText.equals(bytes, "PUT") { return .put }
        case 4:
            if ASCIIText.equals(bytes, "POST") { return .post }
            if ASCIIText.equals(bytes, "HEAD") { return .head }
        case 5: if ASCIIText.equals(bytes, "PATCH") { return .patch }
        case 6: if ASCIIText.equals(bytes, "DELETE") { return .delete }
        case 7: if ASCIIText.equals(bytes, "OPTIONS") { return .options }
        default: break
        }
        return .other
    }
}

/// The versions that are served.
public enum HTTPVersion: UInt8, Sendable {
    case http10, http11
}
