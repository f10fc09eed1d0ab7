import HTTPWire
import NIOCore
import NIOHPACK

/// The head that an upstream is sent, as a header block of HTTP/2 (RFC 9113 section 8.3.1). It is read from the bytes
/// that `RequestRewriting` wrote, so whatever holds for them holds for it.
struct UpstreamRequestHead {
    /// Pseudo-fields first.
    let headers: HPACKHeaders
    /// How the body follows in the bytes.
    let framing: BodyFraming
    let method: Method
    /// Bytes of the head.
    let length: Int

    /// - Returns: nil when the bytes are no whole head of ours.
    static func read(_ bytes: UnsafeRawBufferPointer, scheme: String) -> UpstreamRequestHead? {
        guard let lineEnd = end(of: bytes, from: 0) else { return nil }
        let line = UnsafeRawBufferPointer(rebasing: bytes[..<lineEnd])
        guard let methodEnd = line.firstIndex(of: 0x20), let targetEnd = line.lastIndex(of: 0x20),
            targetEnd > methodEnd + 1, methodEnd > 0
        else { return nil }
        var reader = Reader()
        var position = lineEnd + 2
        while let end = end(of: bytes, from: position), end > position {
            guard reader.take(UnsafeRawBufferPointer(rebasing: bytes[position..<end])) else { return nil }
            position = end + 2
        }
        guard bytes.count >= position + 2, bytes[position] == 0x0d, bytes[position + 1] == 0x0a else { return nil }
        let method = UnsafeRawBufferPointer(rebasing: line[..<methodEnd])
        var headers = HPACKHeaders()
        headers.reserveCapacity(reader.fields.count + 5)
        headers.add(name: ":method", value: String(decoding: method, as: UTF8.self))
        headers.add(name: ":scheme", value: scheme)
        if !reader.authority.isEmpty { headers.add(name: ":authority", value: reader.authority) }
        headers.add(
            name: ":path", value: String(decoding: line[(methodEnd + 1)..<targetEnd], as: UTF8.self),
            indexing: .nonIndexable)
        for field in reader.fields { headers.add(name: field.name, value: field.value, indexing: field.indexing) }
        // Trailers are taken on this side whatever the client said of its own, and gRPC's servers demand to hear it.
        headers.add(name: "te", value: "trailers")
        return UpstreamRequestHead(
            headers: headers, framing: reader.framing, method: Method.of(method), length: position + 2)
    }

    /// Trailers of a request, which have been cleaned.
    static func trailers(_ fields: [HeaderField], in bytes: UnsafeRawBufferPointer) -> HPACKHeaders {
        var headers = HPACKHeaders()
        for field in fields {
            headers.add(
                name: lowercase(field.name.bytes(in: bytes)),
                value: String(decoding: field.value.bytes(in: bytes), as: UTF8.self))
        }
        return headers
    }

    /// Where the line that begins at `start` has its CR LF.
    private static func end(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let feed = bytes[start...].firstIndex(of: 0x0a), feed > start,
            bytes[feed - 1] == 0x0d
        else { return nil }
        return feed - 1
    }

    static func lowercase(_ name: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: name.count) { target in
            for (index, byte) in name.enumerated() { target[index] = ByteSearch.lower(byte) }
            return name.count
        }
    }

    /// Goes through the lines of a head.
    private struct Reader {
        struct Field {
            let name: String
            let value: String
            let indexing: HPACKIndexing
        }

        var fields: [Field] = []
        var authority = ""
        var framing = BodyFraming.none

        /// - Returns: false for what is no field.
        mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
            guard let colon = line.firstIndex(of: 0x3a), colon > 0 else { return false }
            let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
            var start = colon + 1
            var end = line.count
            while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
            while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
            let value = String(decoding: line[start..<end], as: UTF8.self)
            let id = FieldID.of(name)
            switch id {
            case .host:
                authority = value
                return true
            case .transferEncoding:
                framing = .chunked
                return true
            case .connection, .keepAlive, .proxyConnection, .upgrade, .te, .http2Settings: return true
            case .contentLength:
                guard let length = UInt64(value) else { return false }
                framing = .length(length)
            default: break
            }
            fields.append(
                Field(name: UpstreamRequestHead.lowercase(name), value: value, indexing: Self.indexing(of: id)))
            return true
        }

        /// The connection is shared by many users: what is secret goes into no table, where the length of another
        /// request could betray it (RFC 7541 section 7.1), and what never comes twice only pushes the rest out.
        private static func indexing(of id: FieldID) -> HPACKIndexing {
            switch id {
            case .authorization, .cookie, .xAPIKey, .gatehouseAssertion: .neverIndexed
            case .contentLength, .xRequestID, .traceparent: .nonIndexable
            default: .indexable
            }
        }
    }
}
