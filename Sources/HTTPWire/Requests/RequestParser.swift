/// Parses request heads, one after the other, on one connection.
///
/// After `incomplete` it is called again with the same bytes and more behind them; it remembers how far it looked.
/// After `complete` or `refused` it is ready for another head. The same bytes give the same result however they are cut.
/// Many parsers may share one `RequestHead`: what one has read of a head that is not complete it keeps for itself.
public struct RequestParser: Sendable {
    /// What a head may hold at most.
    public struct Limits: Sendable {
        /// Bytes of the whole head, its last line end included; more is 431.
        public var headBytes: Int
        /// Bytes of the target; more is 414.
        public var targetBytes: Int
        /// Number of fields; more is 431.
        public var fields: Int

        /// The contract's limits unless others are given. The number of fields is bounded for what is kept of a head
        /// whose end has not come: 20 bytes each.
        public init(headBytes: Int = 32 * 1024, targetBytes: Int = 8 * 1024, fields: Int = 256) {
            self.headBytes = headBytes
            self.targetBytes = targetBytes
            self.fields = fields
        }
    }

    /// How many names `Connection` may list: each field is compared with all of them.
    private static let maximumConnectionNames = 128

    private let limits: Limits
    private var lines = FieldLines()
    private var authority = Slice()
    private var hasLine = false
    private var searched = 0
    /// What was read of a head whose end has not come; one or none.
    private var begun: [RequestHead] = []

    /// A parser at the start of a connection.
    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Forgets the head that was begun.
    public mutating func reset() {
        lines = FieldLines()
        authority = Slice()
        hasLine = false
        searched = 0
        begun = []
    }

    /// Parses the head that begins at the first of `bytes`. Only after `complete` is anything in `head` to be used, and
    /// only until another parse into it.
    public mutating func parse(_ bytes: UnsafeRawBufferPointer, into head: inout RequestHead) -> ParseResult {
        if hasLine { swap(&head, &begun[0]) }
        let result = read(bytes, into: &head)
        if hasLine {
            // The caller's storage is filled by others until we are called again.
            if begun.isEmpty { begun = [RequestHead()] }
            swap(&head, &begun[0])
        }
        return result
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, into head: inout RequestHead) -> ParseResult {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        if !hasLine {
            switch requestLine(bytes, base, &head) {
            case .incomplete: return .incomplete
            case .wrong(let code): return refused(code)
            case .complete(let next):
                hasLine = true
                lines = FieldLines(position: next)
            }
        }
        let outcome = lines.read(
            base, count: bytes.count, limit: limits.headBytes, maximumFields: limits.fields, tooLarge: .headTooLarge,
            into: &head.fields)
        switch outcome {
        case .incomplete: return .incomplete
        case .refused(let code): return refused(code)
        case .complete(let end):
            head.headLength = end
            do throws(Refusal) {
                try Self.finish(&head, lines.summary, authority: authority, bytes)
            } catch {
                return refused(error.code)
            }
            reset()
            return .complete
        }
    }

    private mutating func refused(_ code: Refusal.Code) -> ParseResult {
        reset()
        return .refused(Refusal(code))
    }

    /// Reads the request line. One empty line before it is skipped (RFC 9112 section 2.2). A first byte that begins no
    /// method is refused at once: it is another protocol, which may never send a line end.
    private mutating func requestLine(
        _ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, _ head: inout RequestHead
    ) -> RequestLine.Outcome {
        var start = 0
        if base.byte(0) == .carriageReturn {
            guard bytes.count > 1 else { return .incomplete }
            guard base.byte(1) == .lineFeed else { return .wrong(.bareCarriageReturn) }
            guard bytes.count > 2 else { return .incomplete }
            start = 2
        }
        let first = base.byte(start)
        guard ByteClass.isToken(first) else { return .wrong(Self.wrongStart(first)) }
        let longest = start + RequestLine.maximumMethodBytes + 12 + limits.targetBytes
        if searched > start {
            let end = WordScan.first(.lineFeed, in: base, from: searched, to: bytes.count)
            guard end < bytes.count else { return unfinished(bytes.count, longest) }
        }
        head.clear()
        let outcome = RequestLine.read(
            bytes, base, from: start, targetLimit: limits.targetBytes, into: &head, authority: &authority)
        switch outcome {
        case .complete(let next):
            if next > limits.headBytes { return .wrong(.headTooLarge) }
            return outcome
        case .incomplete: return unfinished(bytes.count, longest)
        case .wrong:
            let end = WordScan.first(.lineFeed, in: base, from: start, to: bytes.count)
            guard end < bytes.count else { return unfinished(bytes.count, longest) }
            return end >= longest ? .wrong(.targetTooLong) : outcome
        }
    }

    private mutating func unfinished(_ count: Int, _ longest: Int) -> RequestLine.Outcome {
        searched = count
        return count > longest ? .wrong(.targetTooLong) : .incomplete
    }

    private static func wrongStart(_ byte: UInt8) -> Refusal.Code {
        switch byte {
        case .carriageReturn, .space: .malformedRequestLine
        case .lineFeed: .bareLineFeed
        default: ByteClass.isControl(byte) ? .controlByte : .invalidMethod
        }
    }

    /// What the fields say together: host, framing, connection, expectation.
    @inline(__always)
    private static func finish(
        _ head: inout RequestHead, _ summary: FieldSummary, authority: Slice, _ bytes: UnsafeRawBufferPointer
    ) throws(Refusal) {
        if summary.hostRepeated { throw Refusal(.hostRepeated) }
        if summary.host >= 0 {
            head.host = head.fields[summary.host].value
            guard HostCheck.isValid(head.host.bytes(in: bytes)) else { throw Refusal(.hostInvalid) }
        } else if head.version == .http11 {
            throw Refusal(.hostMissing)
        }
        if !authority.isEmpty { try agree(&head, authority, bytes) }

        switch try FramingFields.announced(summary, fields: head.fields, version: head.version, in: bytes) {
        case .nothing: break
        case .length(let length): head.framing = .length(length)
        case .chunked: head.framing = .chunked
        }
        head.keepAlive = head.version == .http11
        if summary.hasConnection { try connection(&head, summary, bytes) }
        if summary.hasExpect { try expect(&head, bytes) }
    }

    /// An absolute-form's authority and `Host` are the same but for case; alone, in HTTP/1.0, it is the host.
    private static func agree(
        _ head: inout RequestHead, _ authority: Slice, _ bytes: UnsafeRawBufferPointer
    ) throws(Refusal) {
        if head.host.isEmpty {
            head.host = authority
        } else if !ASCIIText.equalIgnoringCase(head.host.bytes(in: bytes), authority.bytes(in: bytes)) {
            throw Refusal(.authorityMismatch)
        }
    }

    private static func connection(
        _ head: inout RequestHead, _ summary: FieldSummary, _ bytes: UnsafeRawBufferPointer
    ) throws(Refusal) {
        let said = FramingFields.connection(fields: head.fields, in: bytes, names: &head.connectionNames)
        guard head.connectionNames.count <= maximumConnectionNames else { throw Refusal(.tooManyFields) }
        head.keepAlive = !said.close && (head.version == .http11 || said.keepAlive)
        guard said.upgrade, summary.upgrade >= 0, !summary.upgradeRepeated, head.version == .http11 else { return }
        guard head.framing == .none || head.framing == .length(0) else { return }
        let token = head.fields[summary.upgrade].value
        if UpgradeToken.isAcceptable(token.bytes(in: bytes)) { head.upgrade = token }
    }

    private static func expect(_ head: inout RequestHead, _ bytes: UnsafeRawBufferPointer) throws(Refusal) {
        for field in head.fields where field.id == .expect {
            guard ASCIIText.equalsIgnoringCase(field.value.bytes(in: bytes), "100-continue") else {
                throw Refusal(.expectationUnknown)
            }
        }
        head.expectContinue = head.version == .http11 && head.framing != .none && head.framing != .length(0)
    }
}

/// What a parser found.
public enum ParseResult: Sendable, Equatable {
    /// The head's end is not there yet.
    case incomplete
    /// The head is complete; the body begins at its `headLength`.
    case complete
    /// The bytes are refused and the parser is reset.
    case refused(Refusal)
}
