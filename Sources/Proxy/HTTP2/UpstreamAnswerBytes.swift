import HTTPWire
import NIOCore
import NIOHPACK

/// An answer in HTTP/2, written as the HTTP/1.1 that says the same: `ResponseParser` reads it as strictly as any other.
/// A body of unknown length goes in chunks, trailers behind the last of them.
///
/// ```
///  head ─┬─ 1xx ─► head
///        ├─ final ─► body ─┬─ end of the stream, trailers ─► ended
///        └─ final, end ────┴──────────────────────────────► ended
///  each ── what is malformed (RFC 9113 section 8.1.1) ─► throws; nothing after it is of use
/// ```
struct UpstreamAnswerBytes {
    /// The answer is no answer.
    struct Malformed: Error, Equatable {
        let what: String

        init(_ what: String) { self.what = what }
    }

    private enum State {
        case head
        /// What has to come before the stream may end.
        case body(Body)
        case ended
    }

    private enum Body {
        /// Nothing more: whatever is held is complete when the stream ends.
        case nothing
        case length(UInt64)
        case chunked
    }

    private let isHead: Bool
    private var state = State.head
    /// The last piece of what has a known length. It waits for the end of the stream: given away at once it would be
    /// taken for the whole, and whatever the server said afterwards would come too late.
    private var held = ByteBuffer()

    init(method: Method) {
        isHead = method == .head
    }

    /// The server has said all.
    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    mutating func takeHeaders(_ headers: HPACKHeaders, isLast: Bool, into out: inout ByteBuffer) throws(Malformed) {
        switch state {
        case .head: try takeHead(headers, isLast, &out)
        case .body(let body): try takeTrailers(headers, isLast, body, &out)
        case .ended: throw Malformed("something behind the end of the answer")
        }
    }

    mutating func takeData(_ data: ByteBuffer, isLast: Bool, into out: inout ByteBuffer) throws(Malformed) {
        guard case .body(let body) = state else { throw Malformed("a body without a head") }
        switch body {
        case .nothing:
            guard data.readableBytes == 0 else { throw Malformed("a body where none can be") }
        case .chunked:
            if data.readableBytes > 0 {
                ChunkedEncoder.writeHead(data.readableBytes, into: &out)
                out.writeImmutableBuffer(data)
                ChunkedEncoder.writeTail(into: &out)
            }
        case .length(let left):
            let count = UInt64(data.readableBytes)
            guard count <= left else { throw Malformed("more than its content-length") }
            state = .body(count == left ? .nothing : .length(left - count))
            if count == left { held.append(data) } else { out.append(data) }
        }
        if isLast { try end(nil, &out) }
    }

    // MARK: Heads

    private mutating func takeHead(
        _ headers: HPACKHeaders, _ isLast: Bool, _ out: inout ByteBuffer
    ) throws(Malformed) {
        let head = try Self.read(headers)
        if head.status < 200 {
            guard head.status >= 100, head.status != 101, !isLast else { throw Malformed("1xx that cannot be") }
            Self.write(head.status, headers, framing: nil, into: &out)
            return
        }
        if isHead || head.status == 204 || head.status == 304 {
            Self.write(head.status, headers, framing: nil, into: &held)
            state = .body(.nothing)
        } else if let length = head.length {
            if length == 0 {
                Self.write(head.status, headers, framing: nil, into: &held)
                state = .body(.nothing)
            } else {
                guard !isLast else { throw Malformed("less than its content-length") }
                Self.write(head.status, headers, framing: nil, into: &out)
                state = .body(.length(length))
            }
        } else if isLast {
            Self.write(head.status, headers, framing: "Content-Length: 0\r\n", into: &held)
            state = .body(.nothing)
        } else {
            Self.write(head.status, headers, framing: "Transfer-Encoding: chunked\r\n", into: &out)
            state = .body(.chunked)
        }
        if isLast { try end(nil, &out) }
    }

    /// The status first and alone among the pseudo-fields, and what frames the body.
    private static func read(_ headers: HPACKHeaders) throws(Malformed) -> (status: Int, length: UInt64?) {
        var status: Int?
        var length: UInt64?
        for (index, field) in headers.enumerated() {
            if field.name == ":status" {
                guard index == 0, let code = decimal(field.value, digits: 3...3) else {
                    throw Malformed("a :status that is none")
                }
                status = Int(code)
                continue
            }
            guard UpstreamFieldRules.isOrdinary(field.name, field.value) else { throw Malformed("a forbidden field") }
            guard field.name == "content-length" else { continue }
            guard length == nil, let count = decimal(field.value, digits: 1...18) else {
                throw Malformed("a content-length that is none")
            }
            length = count
        }
        guard let status else { throw Malformed("no :status") }
        return (status, length)
    }

    private static func decimal(_ text: String, digits: ClosedRange<Int>) -> UInt64? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(text)
    }

    private static func write(
        _ status: Int, _ headers: HPACKHeaders, framing: StaticString?, into out: inout ByteBuffer
    ) {
        // HTTP/2 has no reason phrase, and HTTP/1.1 needs none.
        out.writeStaticString("HTTP/1.1 ")
        out.writeDecimal(status)
        out.writeStaticString(" \r\n")
        for field in headers where field.name != ":status" { write(field.name, field.value, into: &out) }
        if let framing { out.writeStaticString(framing) }
        out.writeStaticString("\r\n")
    }

    private static func write(_ name: String, _ value: String, into out: inout ByteBuffer) {
        out.writeString(name)
        out.writeStaticString(": ")
        out.writeString(value)
        out.writeStaticString("\r\n")
    }

    // MARK: The end

    private mutating func takeTrailers(
        _ trailers: HPACKHeaders, _ isLast: Bool, _ body: Body, _ out: inout ByteBuffer
    ) throws(Malformed) {
        guard isLast else { throw Malformed("trailers that are not the last") }
        for field in trailers where !UpstreamFieldRules.isOrdinary(field.name, field.value) {
            throw Malformed("a forbidden trailer")
        }
        try end(trailers, &out)
    }

    /// HTTP/1.1 has no place for trailers behind a body of known length: they are left out then.
    private mutating func end(_ trailers: HPACKHeaders?, _ out: inout ByteBuffer) throws(Malformed) {
        guard case .body(let body) = state else { throw Malformed("an end without a head") }
        switch body {
        case .nothing: out.append(held)
        case .length: throw Malformed("less than its content-length")
        case .chunked:
            ChunkedEncoder.writeLastChunk(into: &out)
            if let trailers { for field in trailers { Self.write(field.name, field.value, into: &out) } }
            ChunkedEncoder.writeTail(into: &out)
        }
        held = ByteBuffer()
        state = .ended
    }
}

extension ByteBuffer {
    /// Adds `other` at the end, without a copy where this one is empty.
    fileprivate mutating func append(_ other: ByteBuffer) {
        if readableBytes == 0 { self = other } else { writeImmutableBuffer(other) }
    }
}
