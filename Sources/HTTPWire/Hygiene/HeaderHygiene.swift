/// Which fields go on to the other side.
///
/// The order is the caller's duty: first what this says is left out, then our own fields are written. So a client's
/// `Connection: Remote-User` can only name the client's own copy, which is gone already.
public struct HeaderHygiene: Sendable {
    private struct Name: Sendable {
        let bytes: [UInt8]
        let isPrefix: Bool
    }

    private let configured: [Name]
    /// A bit for every first byte among `configured`.
    private let firstBytes: UInt64

    /// Reserves the contract's families and the configured `names`; one that ends in `*` is a prefix. Names are
    /// compared by their canonical form, whatever form they are given in.
    public init(reserving names: [String] = []) {
        configured = names.compactMap { name in
            let isPrefix = name.hasSuffix("*")
            let bytes = (isPrefix ? name.dropLast() : name[...]).utf8.map { CanonicalName.canonical($0) }
            return bytes.isEmpty ? nil : Name(bytes: bytes, isPrefix: isPrefix)
        }
        firstBytes = configured.reduce(0) { $0 | 1 << UInt64($1.bytes[0] & 63) }
    }

    /// True for a name that only we may send to an upstream.
    @inline(__always)
    public func isReserved(_ name: UnsafeRawBufferPointer) -> Bool {
        if ReservedFamilies.contains(name) { return true }
        if firstBytes == 0 { return false }
        return isConfigured(name)
    }

    /// True for a name that no trailer may have: reserved, about framing or content, or a credential.
    public func isReservedInTrailers(_ name: UnsafeRawBufferPointer) -> Bool {
        if isReserved(name) { return true }
        switch FieldID.of(name) {
        case .host, .connection, .contentLength, .transferEncoding, .expect, .upgrade, .te, .trailer, .keepAlive,
            .proxyConnection, .http2Settings, .authorization, .proxyAuthorization, .cookie, .setCookie, .xAPIKey,
            .contentType, .contentEncoding:
            return true
        default: break
        }
        return CanonicalName.equals(name, "content-range") || CanonicalName.equals(name, "set-cookie")
            || CanonicalName.equals(name, "x-api-key") || CanonicalName.equals(name, "content-type")
            || CanonicalName.equals(name, "content-encoding")
    }

    /// True for the fields that concern one connection only (RFC 9110 section 7.6.1).
    @inline(__always)
    public static func isHopByHop(_ id: FieldID) -> Bool {
        switch id {
        case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .upgrade, .http2Settings: true
        default: false
        }
    }

    /// True when a request's field goes on to the upstream. `Host`, `Content-Length`, `Expect`, `Via`, `X-Request-Id`
    /// and the trace fields answer true: they are the caller's to write.
    @inline(__always)
    public func forwards(_ field: HeaderField, of head: RequestHead, in bytes: UnsafeRawBufferPointer) -> Bool {
        if Self.isHopByHop(field.id) { return false }
        let name = field.name.bytes(in: bytes)
        if !head.connectionNames.isEmpty, Self.isNamed(field, name, by: head.connectionNames, in: bytes) {
            return false
        }
        return !isReserved(name)
    }

    /// True when a response's field goes on to the client.
    @inline(__always)
    public func forwards(_ field: HeaderField, of head: ResponseHead, in bytes: UnsafeRawBufferPointer) -> Bool {
        if Self.isHopByHop(field.id) { return false }
        let name = field.name.bytes(in: bytes)
        if !head.connectionNames.isEmpty, Self.isNamed(field, name, by: head.connectionNames, in: bytes) {
            return false
        }
        return field.id != .other || !CanonicalName.hasPrefix(name, "proxy-")
    }

    /// True when a trailer goes on, in either direction.
    public func forwardsTrailer(_ field: HeaderField, in bytes: UnsafeRawBufferPointer) -> Bool {
        !isReservedInTrailers(field.name.bytes(in: bytes))
    }

    /// True for a value that may be written into a head: no control byte but HTAB.
    public static func isSafeValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where ByteClass.isControl(byte) && byte != .tab { return false }
        return true
    }

    /// True when the name's canonical form is `canonical`: for finding a field in all its spellings.
    public static func canonicalEquals(_ name: UnsafeRawBufferPointer, _ canonical: StaticString) -> Bool {
        CanonicalName.equals(name, canonical)
    }

    /// A `Connection` token may name any field but those that we need for framing, routing and tracing.
    private static func isNamed(
        _ field: HeaderField, _ name: UnsafeRawBufferPointer, by names: [Slice], in bytes: UnsafeRawBufferPointer
    ) -> Bool {
        switch field.id {
        case .host, .contentLength, .via, .xRequestID, .traceparent, .tracestate: return false
        default: break
        }
        for token in names where ASCIIText.equalIgnoringCase(token.bytes(in: bytes), name) { return true }
        return false
    }

    private func isConfigured(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first else { return false }
        guard firstBytes & (1 << UInt64(CanonicalName.canonical(first) & 63)) != 0 else { return false }
        for candidate in configured {
            let count = candidate.bytes.count
            guard name.count == count || (candidate.isPrefix && name.count > count) else { continue }
            var position = 0
            while position < count, CanonicalName.canonical(name[position]) == candidate.bytes[position] {
                position += 1
            }
            if position == count { return true }
        }
        return false
    }
}
