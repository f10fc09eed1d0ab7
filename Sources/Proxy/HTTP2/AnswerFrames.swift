import HTTPWire
import NIOCore
import NIOHPACK
import NIOHTTP2

/// Reads the HTTP/1.1 bytes of an answer and writes it as HTTP/2: heads (1xx included), data, trailers.
struct AnswerFrames {
    private enum State {
        /// No final head yet.
        case head
        case body(BodyReader)
        /// The last frame is written.
        case ended
    }

    private var state = State.head
    private var parser = ResponseParser()
    /// What is not a whole head or chunk yet.
    private var pending: ByteBuffer?
    /// Data that may turn out to be the last.
    private var held: ByteBuffer?
    /// Whether the request was HEAD; set with its head.
    var isHead = false

    /// The answer is written to its end.
    var hasEnded: Bool { if case .ended = state { true } else { false } }

    /// The bytes are no answer; nothing of that kind is ever written here.
    struct Unreadable: Error {}

    /// Takes `bytes`.
    ///
    /// - Parameters:
    ///   - head: storage for heads.
    ///   - frames: is given each frame, in order; the last has END_STREAM.
    mutating func take(
        _ bytes: ByteBuffer, head: inout ResponseHead, frames: (HTTP2Frame.FramePayload) -> Void
    ) throws(Unreadable) {
        var buffer = bytes
        if var before = pending {
            pending = nil
            before.writeImmutableBuffer(buffer)
            buffer = before
        }
        while try step(&buffer, &head, frames) {}
        if let piece = held {
            held = nil
            frames(Self.data(piece, endStream: hasEnded))
        }
        if buffer.readableBytes > 0, !hasEnded { pending = buffer }
    }

    /// The answer ends here although it never said where. There is none such in HTTP/1.1 as we write it; if there were,
    /// the end of the connection would be its end.
    mutating func closed() -> HTTP2Frame.FramePayload? {
        guard case .body(let reader) = state, reader.endsWithConnection else { return nil }
        state = .ended
        return Self.data(ByteBuffer(), endStream: true)
    }

    private mutating func step(
        _ buffer: inout ByteBuffer, _ head: inout ResponseHead, _ frames: (HTTP2Frame.FramePayload) -> Void
    ) throws(Unreadable) -> Bool {
        switch state {
        case .head: return try takeHead(&buffer, &head, frames)
        case .body(let reader): return try takeBody(&buffer, reader, frames)
        case .ended: return false
        }
    }

    private mutating func takeHead(
        _ buffer: inout ByteBuffer, _ head: inout ResponseHead, _ frames: (HTTP2Frame.FramePayload) -> Void
    ) throws(Unreadable) -> Bool {
        guard buffer.readableBytes > 0 else { return false }
        let method = isHead ? Method.head : .get
        var headers = HPACKHeaders()
        let result = buffer.withUnsafeReadableBytes { bytes -> ParseResult in
            let result = parser.parse(bytes, requestMethod: method, into: &head)
            if result == .complete { headers = AnswerFields.headers(of: head, in: bytes) }
            return result
        }
        switch result {
        case .incomplete: return false
        case .refused: throw Unreadable()
        case .complete: break
        }
        buffer.moveReaderIndex(forwardBy: head.headLength)
        // Without a connection of its own a stream cannot switch to another protocol.
        guard head.status != 101 else { throw Unreadable() }
        if head.isInformational {
            frames(.headers(.init(headers: headers, endStream: false)))
            return true
        }
        let reader = BodyReader(head.framing)
        state = reader.isEmpty ? .ended : .body(reader)
        frames(.headers(.init(headers: headers, endStream: reader.isEmpty)))
        return true
    }

    private mutating func takeBody(
        _ buffer: inout ByteBuffer, _ reader: BodyReader, _ frames: (HTTP2Frame.FramePayload) -> Void
    ) throws(Unreadable) -> Bool {
        var reader = reader
        var trailers: HPACKHeaders?
        let event = buffer.withUnsafeReadableBytes { bytes -> BodyReader.Event in
            let event = reader.next(bytes)
            if case .end = event, !reader.trailers.isEmpty {
                trailers = AnswerFields.trailers(reader.trailers, in: bytes)
            }
            return event
        }
        switch event {
        case .data(let range, let consumed):
            state = reader.isEmpty ? .ended : .body(reader)
            if let piece = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) {
                if let before = held { frames(Self.data(before, endStream: false)) }
                held = piece
            }
            buffer.moveReaderIndex(forwardBy: consumed)
            return true
        case .needMore(let consumed):
            state = .body(reader)
            buffer.moveReaderIndex(forwardBy: consumed)
            return false
        case .end(let consumed):
            buffer.moveReaderIndex(forwardBy: consumed)
            end(trailers, frames)
            return false
        case .invalid: throw Unreadable()
        }
    }

    private mutating func end(_ trailers: HPACKHeaders?, _ frames: (HTTP2Frame.FramePayload) -> Void) {
        state = .ended
        if let trailers {
            if let before = held { frames(Self.data(before, endStream: false)) }
            held = nil
            frames(.headers(.init(headers: trailers, endStream: true)))
        } else if held == nil {
            held = ByteBuffer()
        }
    }

    private static func data(_ piece: ByteBuffer, endStream: Bool) -> HTTP2Frame.FramePayload {
        .data(.init(data: .byteBuffer(piece), endStream: endStream))
    }
}

/// The fields of an answer as HTTP/2 has them: names in lower case, and nothing about the connection.
private enum AnswerFields {
    static func headers(of head: ResponseHead, in bytes: UnsafeRawBufferPointer) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.reserveCapacity(head.fields.count + 1)
        headers.add(name: ":status", value: String(head.status))
        for field in head.fields where !isAboutConnection(field.id) { add(field, bytes, to: &headers) }
        return headers
    }

    static func trailers(_ fields: [HeaderField], in bytes: UnsafeRawBufferPointer) -> HPACKHeaders {
        var headers = HPACKHeaders()
        for field in fields where !isAboutConnection(field.id) { add(field, bytes, to: &headers) }
        return headers
    }

    private static func isAboutConnection(_ id: FieldID) -> Bool {
        switch id {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .te: true
        default: false
        }
    }

    private static func add(_ field: HeaderField, _ bytes: UnsafeRawBufferPointer, to headers: inout HPACKHeaders) {
        let name = field.name.bytes(in: bytes)
        let lowered = String(unsafeUninitializedCapacity: name.count) { target in
            for index in 0..<name.count {
                let byte = name[index]
                target[index] = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
            }
            return name.count
        }
        let value = String(decoding: field.value.bytes(in: bytes), as: UTF8.self)
        headers.add(name: lowered, value: value, indexing: indexing(of: field.id))
    }

    /// What opens something is not kept in the table that all answers of a connection share, and what no other answer
    /// says again would only push out of it what others do.
    private static func indexing(of id: FieldID) -> HPACKIndexing {
        switch id {
        case .setCookie: .neverIndexed
        case .xRequestID, .contentLength: .nonIndexable
        default: .indexable
        }
    }
}
