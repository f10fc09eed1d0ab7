/// Reads a request line (RFC 9112 section 3) whose end may not be there yet.
///
/// An origin-form path of plain bytes, which is nearly all of them, is recognised on the way to its end; any other
/// target is found first and then judged by `RequestTarget`.
enum RequestLine {
    /// What one look at the line found: `complete` carries the position after its line end.
    enum Outcome {
        case incomplete
        case complete(next: Int)
        case wrong(Refusal.Code)
    }

    static let maximumMethodBytes = 64

    /// Fills method, target, version and the parts of the target.
    static func read(
        _ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, from start: Int, targetLimit: Int,
        into head: inout RequestHead, authority: inout Slice
    ) -> Outcome {
        let end = bytes.count
        let space = methodEnd(base, start, end)
        guard space < end else { return .incomplete }
        guard base.byte(space) == .space else { return .wrong(wrongByte(base.byte(space), otherwise: .invalidMethod)) }
        guard space > start, space &- start <= maximumMethodBytes else { return .wrong(.invalidMethod) }
        head.method = Slice(start, space)
        head.methodKind = Method.of(UnsafeRawBufferPointer(start: base + start, count: space &- start))

        let targetStart = space &+ 1
        var scan = plainTarget(base, targetStart, end, &head)
        let isPlain = scan < end && base.byte(scan) == .space && scan > targetStart
        if !isPlain { scan = targetEnd(base, scan, end) }
        guard scan < end else { return .incomplete }
        guard base.byte(scan) == .space else { return .wrong(wrongTargetByte(base.byte(scan))) }
        guard scan > targetStart else { return .wrong(.malformedRequestLine) }
        head.target = Slice(targetStart, scan)

        let versionStart = scan &+ 1
        guard versionStart &+ 10 <= end else { return shortVersion(base, versionStart, end) }
        switch WordScan.load(base, versionStart) {
        case 0x312E_312F_5054_5448: head.version = .http11
        case 0x302E_312F_5054_5448: head.version = .http10
        default: return .wrong(wrongVersion(base, versionStart))
        }
        guard base.byte(versionStart &+ 8) == .carriageReturn, base.byte(versionStart &+ 9) == .lineFeed else {
            return .wrong(wrongLineEnd(base, versionStart &+ 8))
        }
        if head.methodKind == .other, isRefused(UnsafeRawBufferPointer(start: base + start, count: space &- start)) {
            return .wrong(.methodRefused)
        }
        guard scan &- targetStart <= targetLimit else { return .wrong(.targetTooLong) }
        if !isPlain, let code = judge(bytes, targetStart, scan, into: &head, authority: &authority) {
            return .wrong(code)
        }
        return .complete(next: versionStart &+ 10)
    }

    @inline(__always)
    private static func methodEnd(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        var position = start
        while position < end, ByteClass.isToken(base.byte(position)) { position &+= 1 }
        return position
    }

    /// Reads an origin-form without anything special in its path. Returns where it stopped: at the blank behind such a
    /// target, whose parts are then set, or at the byte that needs the longer way.
    @inline(__always)
    private static func plainTarget(
        _ base: UnsafeRawPointer, _ start: Int, _ end: Int, _ head: inout RequestHead
    ) -> Int {
        guard start < end, base.byte(start) == .slash else { return start }
        var position = start
        var previous: UInt8 = 0
        while position < end {
            let byte = base.byte(position)
            if byte == .slash || byte == .dot {
                if previous == .slash { return start }
            } else if !ByteClass.isPlainPath(byte) {
                break
            }
            previous = byte
            position &+= 1
        }
        guard position < end else { return position }
        head.path = Slice(start, position)
        if base.byte(position) == .space { return position }
        guard base.byte(position) == .question else { return start }
        let query = position &+ 1
        position = query
        while position < end, ByteClass.isQuery(base.byte(position)) { position &+= 1 }
        guard position < end, base.byte(position) == .space else { return start }
        head.query = Slice(query, position)
        return position
    }

    /// The first position that no target goes beyond: a blank, a control byte, or one from 0x7F.
    private static func targetEnd(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        var position = start
        while position < end, base.byte(position) &- 0x21 < 0x5E { position &+= 1 }
        return position
    }

    private static func judge(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, into head: inout RequestHead,
        authority: inout Slice
    ) -> Refusal.Code? {
        do throws(Refusal) {
            let parts = try RequestTarget.parts(bytes, from: start, to: end)
            if parts.isAsterisk, head.methodKind != .options { return .targetInvalid }
            head.path = parts.path
            head.query = parts.query
            head.pathTraits = parts.traits
            head.isAsterisk = parts.isAsterisk
            authority = parts.authority
            return nil
        } catch {
            return error.code
        }
    }

    /// CONNECT and TRACE in any case: an upstream may compare without it.
    private static func isRefused(_ method: UnsafeRawBufferPointer) -> Bool {
        ASCIIText.equalsIgnoringCase(method, "connect") || ASCIIText.equalsIgnoringCase(method, "trace")
    }

    /// Fewer than ten bytes are there behind the target; a line that ends among them is wrong.
    private static func shortVersion(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Outcome {
        for position in start..<end where base.byte(position) == .lineFeed { return .wrong(wrongVersion(base, start)) }
        return .incomplete
    }

    /// Why what follows the target is not `HTTP/1.0` or `HTTP/1.1` and a line end.
    private static func wrongVersion(_ base: UnsafeRawPointer, _ start: Int) -> Refusal.Code {
        var position = start
        for expected in [0x48, 0x54, 0x54, 0x50, 0x2F, nil, 0x2E, nil] as [UInt8?] {
            let byte = base.byte(position)
            guard expected.map({ $0 == byte }) ?? ByteClass.isDigit(byte) else {
                return wrongByte(byte, otherwise: .malformedRequestLine)
            }
            position &+= 1
        }
        let isServed = base.byte(start &+ 5) == 0x31 && base.byte(start &+ 7) &- 0x30 < 2
        if isServed { return wrongLineEnd(base, position) }
        switch base.byte(position) {
        case .carriageReturn, .lineFeed: return .versionUnsupported
        default: return .malformedRequestLine
        }
    }

    private static func wrongLineEnd(_ base: UnsafeRawPointer, _ position: Int) -> Refusal.Code {
        switch base.byte(position) {
        case .carriageReturn: .bareCarriageReturn
        case .lineFeed: .bareLineFeed
        default: wrongByte(base.byte(position), otherwise: .malformedRequestLine)
        }
    }

    private static func wrongByte(_ byte: UInt8, otherwise: Refusal.Code) -> Refusal.Code {
        switch byte {
        case .carriageReturn, .lineFeed, .space: .malformedRequestLine
        default: ByteClass.isControl(byte) ? .controlByte : otherwise
        }
    }

    private static func wrongTargetByte(_ byte: UInt8) -> Refusal.Code {
        byte >= 0x80 ? .targetNotASCII : wrongByte(byte, otherwise: .targetInvalid)
    }
}
