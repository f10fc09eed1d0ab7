/// Reading of the fields that decide about framing and the connection, the same for requests, responses and both
/// directions.
enum FramingFields {
    /// What `Content-Length` and `Transfer-Encoding` say together.
    enum Announced {
        case nothing
        case length(UInt64)
        case chunked
    }

    /// The body that is announced. Refused: both fields, either twice, a length that is not plain digits, a coding
    /// that is not exactly `chunked`, a coding in HTTP/1.0 (RFC 9112 section 6.1).
    @inline(__always)
    static func announced(
        _ summary: FieldSummary, fields: [HeaderField], version: HTTPVersion, in bytes: UnsafeRawBufferPointer
    ) throws(Refusal) -> Announced {
        if summary.length < 0 && summary.coding < 0 { return .nothing }
        if summary.codingRepeated { throw Refusal(.codingRepeated) }
        if summary.lengthRepeated { throw Refusal(.lengthRepeated) }
        if summary.coding >= 0 {
            if summary.length >= 0 { throw Refusal(.lengthAndCoding) }
            if version == .http10 { throw Refusal(.codingInOldVersion) }
            guard isExactlyChunked(fields[summary.coding], in: bytes) else { throw Refusal(.codingInvalid) }
            return .chunked
        }
        let field = fields[summary.length]
        guard let length = decimal(field.value.bytes(in: bytes)), !hasTabAround(field, in: bytes) else {
            throw Refusal(.lengthInvalid)
        }
        return .length(length)
    }

    /// `chunked` behind at most one space, and nothing behind it: parsers disagree about a coding among other blanks,
    /// and no honest sender writes one.
    private static func isExactlyChunked(_ field: HeaderField, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard ASCIIText.equalsIgnoringCase(field.value.bytes(in: bytes), "chunked") else { return false }
        let lead = field.name.range.upperBound + 1..<field.value.range.lowerBound
        let end = field.value.range.upperBound
        guard lead.count <= 1, end < bytes.count, bytes[end] == .carriageReturn else { return false }
        return lead.isEmpty || bytes[lead.lowerBound] == .space
    }

    /// A HTAB beside a length: allowed by the grammar, refused by parsers that others stand behind.
    private static func hasTabAround(_ field: HeaderField, in bytes: UnsafeRawBufferPointer) -> Bool {
        for position in field.name.range.upperBound..<field.value.range.lowerBound where bytes[position] == .tab {
            return true
        }
        var position = field.value.range.upperBound
        while position < bytes.count, bytes[position] == .space { position += 1 }
        return position < bytes.count && bytes[position] == .tab
    }

    /// 1 to 19 digits, at most `Int64.max`.
    static func decimal(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard !bytes.isEmpty, bytes.count <= 19 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard ByteClass.isDigit(byte) else { return nil }
            value = value &* 10 &+ UInt64(byte &- 0x30)
        }
        return value <= UInt64(Int64.max) ? value : nil
    }

    /// What all `Connection` fields say.
    struct Connection {
        var close = false
        var keepAlive = false
        var upgrade = false
    }

    /// Reads the `Connection` fields; tokens that are not its own words are added to `names`.
    static func connection(
        fields: [HeaderField], in bytes: UnsafeRawBufferPointer, names: inout [Slice]
    ) -> Connection {
        var result = Connection()
        for field in fields where field.id == .connection {
            ASCIIText.forEachListItem(of: field.value, in: bytes) { slice, token in
                if ASCIIText.equalsIgnoringCase(token, "close") {
                    result.close = true
                } else if ASCIIText.equalsIgnoringCase(token, "keep-alive") {
                    result.keepAlive = true
                } else if ASCIIText.equalsIgnoringCase(token, "upgrade") {
                    result.upgrade = true
                } else {
                    names.append(slice)
                }
            }
        }
        return result
    }
}
