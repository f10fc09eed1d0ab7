import HTTPWire

/// How much of a body has come, for requests and answers alike. Pure: bytes in, ranges out.
struct BodyReader: Sendable {
    private enum Mode {
        case none
        case length(UInt64)
        case chunked(ChunkedDecoder)
        case untilClose
    }

    /// What the next bytes are.
    enum Event {
        /// Body bytes at `range`; drop `consumed` from the front and call again.
        case data(Range<Int>, consumed: Int)
        /// Drop `consumed` and wait.
        case needMore(consumed: Int)
        /// The body is complete; the trailers are in the bytes of this call.
        case end(consumed: Int)
        case invalid(Refusal)
    }

    private var mode: Mode

    init(_ framing: BodyFraming) {
        switch framing {
        case .none: mode = .none
        case .length(let count): mode = count == 0 ? .none : .length(count)
        case .chunked: mode = .chunked(ChunkedDecoder())
        }
    }

    init(_ framing: ResponseFraming) {
        switch framing {
        case .none: mode = .none
        case .length(let count): mode = count == 0 ? .none : .length(count)
        case .chunked: mode = .chunked(ChunkedDecoder())
        case .untilClose: mode = .untilClose
        }
    }

    /// There is no body, or nothing more to come of it.
    var isEmpty: Bool {
        if case .none = mode { true } else { false }
    }

    var isChunked: Bool {
        if case .chunked = mode { true } else { false }
    }

    /// The close of the connection is the end that was agreed.
    var endsWithConnection: Bool {
        if case .untilClose = mode { true } else { false }
    }

    /// The trailers of a chunked body, in the bytes of the call that answered `end`.
    var trailers: [HeaderField] {
        if case .chunked(let decoder) = mode { decoder.trailers } else { [] }
    }

    mutating func next(_ bytes: UnsafeRawBufferPointer) -> Event {
        switch mode {
        case .none: return .end(consumed: 0)
        case .untilClose:
            return bytes.isEmpty ? .needMore(consumed: 0) : .data(0..<bytes.count, consumed: bytes.count)
        case .length(let left):
            guard !bytes.isEmpty else { return .needMore(consumed: 0) }
            let count = left < UInt64(bytes.count) ? Int(left) : bytes.count
            let rest = left - UInt64(count)
            mode = rest == 0 ? .none : .length(rest)
            return .data(0..<count, consumed: count)
        case .chunked(var decoder):
            mode = .none
            defer { mode = .chunked(decoder) }
            switch decoder.next(bytes) {
            case .data(let range, let consumed): return .data(range, consumed: consumed)
            case .needMore(let consumed): return .needMore(consumed: consumed)
            case .end(let consumed): return .end(consumed: consumed)
            case .invalid(let refusal): return .invalid(refusal)
            }
        }
    }

    /// What the bytes at hand would give: how many of body, how many taken, and whether the body ends in them. The
    /// reader itself stays where it is.
    func measure(_ bytes: UnsafeRawBufferPointer) -> (data: Int, consumed: Int, end: Bool)? {
        var copy = self
        var data = 0
        var position = 0
        while true {
            switch copy.next(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
            case .data(let range, let consumed):
                data += range.count
                position += consumed
            case .needMore(let consumed): return (data, position + consumed, false)
            case .end(let consumed): return (data, position + consumed, true)
            case .invalid: return nil
            }
        }
    }
}
