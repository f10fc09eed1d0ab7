/// Parses response heads as strictly as requests: what is refused here is answered with 502. Many parsers may share one
/// `ResponseHead`, as those of requests may.
public struct ResponseParser: Sendable {
    /// What a head may hold at most.
    public struct Limits: Sendable {
        /// Bytes of the whole head.
        public var headBytes: Int
        /// Number of fields.
        public var fields: Int

        /// 64 KiB and 256 fields unless others are given.
        public init(headBytes: Int = 64 * 1024, fields: Int = 256) {
            self.headBytes = headBytes
            self.fields = fields
        }
    }

    private let limits: Limits
    private var lines = FieldLines()
    private var hasLine = false
    /// What was read of a head whose end has not come; one or none.
    private var begun: [ResponseHead] = []

    /// A parser at the start of a connection.
    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Forgets the head that was begun.
    public mutating func reset() {
        lines = FieldLines()
        hasLine = false
        begun = []
    }

    /// Parses the head that begins at the first of `bytes`; `requestMethod` is that of the request it answers. Only
    /// after `complete` is anything in `head` to be used, and only until another parse into it.
    public mutating func parse(
        _ bytes: UnsafeRawBufferPointer, requestMethod: Method, into head: inout ResponseHead
    ) -> ParseResult {
        if hasLine { swap(&head, &begun[0]) }
        let result = read(bytes, requestMethod, into: &head)
        if hasLine {
            if begun.isEmpty { begun = [ResponseHead()] }
            swap(&head, &begun[0])
        }
        return result
    }

    private mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ requestMethod: Method, into head: inout ResponseHead
    ) -> ParseResult {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        if !hasLine {
            switch StatusLine.read(base, count: bytes.count, limit: limits.headBytes, into: &head) {
            case .incomplete: return .incomplete
            case .wrong(let code): return refused(code)
            case .complete(let next):
                head.clear()
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
                try Self.finish(&head, lines.summary, requestMethod, bytes)
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

    /// Framing by RFC 9112 section 6.3. A body announced where none may be (1xx, 204) is refused: somebody would read
    /// it.
    private static func finish(
        _ head: inout ResponseHead, _ summary: FieldSummary, _ method: Method, _ bytes: UnsafeRawBufferPointer
    ) throws(Refusal) {
        let announced = try FramingFields.announced(summary, fields: head.fields, version: head.version, in: bytes)
        if head.status < 200 || head.status == 204 {
            switch announced {
            case .nothing, .length(0): head.framing = .none
            case .length, .chunked: throw Refusal(.bodyNotAllowed)
            }
        } else if method == .head || head.status == 304 {
            head.framing = .none
        } else {
            switch announced {
            case .nothing: head.framing = .untilClose
            case .length(let length): head.framing = .length(length)
            case .chunked: head.framing = .chunked
            }
        }
        let said = FramingFields.connection(fields: head.fields, in: bytes, names: &head.connectionNames)
        head.keepAlive =
            !said.close && (head.version == .http11 || said.keepAlive) && head.framing != .untilClose
        if said.upgrade, summary.upgrade >= 0, !summary.upgradeRepeated {
            let token = head.fields[summary.upgrade].value
            if UpgradeToken.isAcceptable(token.bytes(in: bytes)) { head.upgrade = token }
        }
    }
}

/// Reads a status line (RFC 9112 section 4), once its end is there.
enum StatusLine {
    static func read(
        _ base: UnsafeRawPointer, count: Int, limit: Int, into head: inout ResponseHead
    ) -> RequestLine.Outcome {
        let end = WordScan.first(.lineFeed, in: base, from: 0, to: count)
        guard end < count else { return count > limit ? .wrong(.headTooLarge) : .incomplete }
        guard end < limit else { return .wrong(.headTooLarge) }
        let stop = end &- 1
        guard stop >= 12, base.byte(stop) == .carriageReturn else {
            return .wrong(stop >= 12 ? .bareLineFeed : .malformedStatusLine)
        }
        switch WordScan.load(base, 0) {
        case 0x312E_312F_5054_5448: head.version = .http11
        case 0x302E_312F_5054_5448: head.version = .http10
        default: return .wrong(.malformedStatusLine)
        }
        var status = 0
        for position in 9..<12 {
            guard ByteClass.isDigit(base.byte(position)) else { return .wrong(.malformedStatusLine) }
            status = status &* 10 &+ Int(base.byte(position) &- 0x30)
        }
        guard base.byte(8) == .space, status >= 100 else { return .wrong(.malformedStatusLine) }
        head.status = status
        head.reasonPhrase = Slice(12, 12)
        if stop > 12 {
            guard base.byte(12) == .space else { return .wrong(.malformedStatusLine) }
            for position in 13..<stop where ByteClass.isControl(base.byte(position)) && base.byte(position) != .tab {
                return .wrong(base.byte(position) == .carriageReturn ? .bareCarriageReturn : .controlByte)
            }
            head.reasonPhrase = Slice(13, stop)
        }
        return .complete(next: end &+ 1)
    }
}
