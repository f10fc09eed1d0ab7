/// Takes a chunked body apart (RFC 9112 section 7.1). It is given everything that was not consumed yet and says what to
/// drop. Chunk extensions are checked and dropped; trailers are parsed by the rules of a head.
///
///     bytes ──► next ──► data(range, consumed)   use the range, drop `consumed`, call again
///                   ├──► needMore(consumed)      drop, wait for input
///                   ├──► end(consumed)           use `trailers` (slices of these very bytes), drop
///                   └──► invalid                 the body is refused; the connection cannot go on
public struct ChunkedDecoder: Sendable {
    /// What was found in front.
    public enum Event: Sendable, Equatable {
        /// Body bytes at `range` of the given bytes; `consumed` is its end.
        case data(Range<Int>, consumed: Int)
        /// The rest is not there yet.
        case needMore(consumed: Int)
        /// The body is complete.
        case end(consumed: Int)
        /// The bytes are no chunked body.
        case invalid(Refusal)
    }

    /// Bytes of all extensions of one body, and of one size line: whoever sends more wants something else than a body.
    private static let extensionLimit = 16 * 1024
    private static let sizeLineLimit = 1024
    private static let trailerLimit = 8 * 1024
    private static let maximumTrailers = 64

    /// Exits: `sizeLine` → `data` or `trailers`; `data` → `dataEnd`; `dataEnd` → `sizeLine`; `trailers` → `finished`;
    /// each → `failed`.
    private enum State: Sendable, Equatable {
        case sizeLine
        case data(UInt64)
        case dataEnd
        case trailers
        case finished
        case failed(Refusal)
    }

    private var state = State.sizeLine
    private var extensionBytes = 0
    private var lines = FieldLines()
    /// The trailer fields, after `end`.
    public private(set) var trailers: [HeaderField] = []

    /// A decoder at the start of a body.
    public init() {}

    /// The last chunk and the trailers were read.
    public var isFinished: Bool { state == .finished }

    /// Looks at what is in front of the bytes that were not consumed yet.
    public mutating func next(_ bytes: UnsafeRawBufferPointer) -> Event {
        var position = 0
        guard let base = bytes.baseAddress else { return isFinished ? .end(consumed: 0) : idle() }
        while true {
            switch state {
            case .sizeLine:
                switch ChunkSizeLine.read(base, position, bytes.count, limit: Self.sizeLineLimit) {
                case .incomplete: return .needMore(consumed: position)
                case .wrong(let code): return fail(code)
                case .complete(let size, let extensions, let next):
                    extensionBytes += extensions
                    if extensionBytes > Self.extensionLimit { return fail(.chunkExtensionTooLong) }
                    position = next
                    lines = FieldLines()
                    state = size == 0 ? .trailers : .data(size)
                }
            case .data(let remaining):
                let available = bytes.count - position
                if available == 0 { return .needMore(consumed: position) }
                let count = remaining < UInt64(available) ? Int(remaining) : available
                state = remaining == UInt64(count) ? .dataEnd : .data(remaining - UInt64(count))
                return .data(position..<(position + count), consumed: position + count)
            case .dataEnd:
                guard position < bytes.count else { return .needMore(consumed: position) }
                guard base.byte(position) == .carriageReturn else { return fail(.chunkEndMissing) }
                guard position + 1 < bytes.count else { return .needMore(consumed: position) }
                guard base.byte(position + 1) == .lineFeed else { return fail(.chunkEndMissing) }
                position += 2
                state = .sizeLine
            case .trailers: return readTrailers(base, position, bytes.count)
            case .finished: return .end(consumed: 0)
            case .failed(let refusal): return .invalid(refusal)
            }
        }
    }

    /// The section stays unconsumed until its end is there, so that its slices are of one buffer.
    private mutating func readTrailers(_ base: UnsafeRawPointer, _ start: Int, _ count: Int) -> Event {
        let outcome = lines.read(
            base + start, count: count - start, limit: Self.trailerLimit, maximumFields: Self.maximumTrailers,
            tooLarge: .trailersTooLarge, into: &trailers)
        switch outcome {
        case .incomplete: return .needMore(consumed: start)
        case .refused(let code): return fail(code)
        case .complete(let end):
            state = .finished
            for index in trailers.indices {
                trailers[index].name.offset += UInt32(truncatingIfNeeded: start)
                trailers[index].value.offset += UInt32(truncatingIfNeeded: start)
            }
            return .end(consumed: start + end)
        }
    }

    private func idle() -> Event {
        if case .failed(let refusal) = state { return .invalid(refusal) }
        return .needMore(consumed: 0)
    }

    private mutating func fail(_ code: Refusal.Code) -> Event {
        let refusal = Refusal(code)
        state = .failed(refusal)
        return .invalid(refusal)
    }
}
