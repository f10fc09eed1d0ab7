import HTTPWire

/// What a header of a description says something about.
enum DescribedFact {
    case method, host, path, client
    /// A method in the place of the request's own.
    case methodOverride
    /// The host, among other things (RFC 7239).
    case forwarded
}

/// Headers by which proxies describe a request, in any spelling. A dialect believes one of them for each fact; the
/// others may be there only if they say the same.
enum DescriptionSources {
    /// What the field describes; nil for every other header.
    @inline(__always)
    static func fact(of field: HeaderField, in bytes: UnsafeRawBufferPointer) -> DescribedFact? {
        switch field.id {
        case .xOriginalMethod, .xForwardedMethod: .method
        case .xOriginalURL, .xForwardedURI: .path
        case .xForwardedHost: .host
        case .xForwardedFor: .client
        case .forwarded: .forwarded
        // Another spelling, or a name that is not among the well-known.
        case .other: fact(of: field.name.bytes(in: bytes))
        default: nil
        }
    }

    private static func fact(of name: UnsafeRawBufferPointer) -> DescribedFact? {
        guard let first = name.first, ByteSearch.lower(first) == UInt8(ascii: "x"), name.count >= 13, name.count <= 22
        else { return nil }
        if matches(name, "x-original-method") || matches(name, "x-forwarded-method") { return .method }
        if matches(name, "x-original-url") || matches(name, "x-original-uri") || matches(name, "x-forwarded-uri")
            || matches(name, "x-rewrite-url")
        {
            return .path
        }
        if matches(name, "x-forwarded-host") || matches(name, "x-original-host") { return .host }
        if matches(name, "x-forwarded-for") { return .client }
        if matches(name, "x-http-method-override") || matches(name, "x-http-method")
            || matches(name, "x-method-override")
        {
            return .methodOverride
        }
        return nil
    }

    private static func matches(_ name: UnsafeRawBufferPointer, _ canonical: StaticString) -> Bool {
        name.count == canonical.utf8CodeUnitCount && HeaderHygiene.canonicalEquals(name, canonical)
    }

    /// The host without its port and its trailing dot.
    static func bareHost(_ host: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = host.count
        var digits = end
        while digits > 0, (0x30...0x39).contains(host[digits - 1]) { digits -= 1 }
        if digits > 0, host[digits - 1] == UInt8(ascii: ":") { end = digits - 1 }
        if end > 0, host[end - 1] == UInt8(ascii: ".") { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: host[..<end])
    }

    /// The path of a target in origin or absolute form; nil when it cannot be read.
    static func path(of target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let parts = try? RequestTarget.check(target) else { return nil }
        return parts.path.bytes(in: target)
    }
}
