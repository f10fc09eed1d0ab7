/// Reads the field lines of a head or a trailer section, one after the other, and remembers where it stopped.
///
/// A line is judged by its own bytes alone and only when its end is there, so that a refusal does not depend on how
/// the input was cut. A line whose end is not in sight is looked at once and after that only searched for its end:
/// input that comes byte by byte costs linear time.
struct FieldLines: Sendable {
    /// Where the first unread line begins.
    var position = 0
    /// Up to here the unread line is known to have no end.
    private var searched = 0
    /// What the fields so far say about framing.
    var summary = FieldSummary()

    /// The outcome of a reading: `complete` carries the position after the empty line.
    enum Outcome {
        case incomplete
        case complete(end: Int)
        case refused(Refusal.Code)
    }

    /// What one look at a line found.
    private enum Line {
        case incomplete
        case field(next: Int)
        case end(next: Int)
        case wrong(Refusal.Code)
    }

    init(position: Int = 0) {
        self.position = position
        searched = position
    }

    /// Reads lines of `count` bytes at `base`; the section must end at or before `limit`.
    @inline(__always)
    mutating func read(
        _ base: UnsafeRawPointer, count: Int, limit: Int, maximumFields: Int, tooLarge: Refusal.Code,
        into fields: inout [HeaderField]
    ) -> Outcome {
        if searched > position {
            let end = WordScan.first(.lineFeed, in: base, from: searched, to: count)
            guard end < count else { return unfinished(count: count, limit: limit, tooLarge: tooLarge) }
        }
        while true {
            switch Self.line(base, position, count, &fields, &summary) {
            case .field(let next):
                if next > limit { return .refused(tooLarge) }
                if fields.count > maximumFields { return .refused(.tooManyFields) }
                position = next
                searched = next
            case .end(let next):
                return next > limit ? .refused(tooLarge) : .complete(end: next)
            case .incomplete:
                return unfinished(count: count, limit: limit, tooLarge: tooLarge)
            case .wrong(let code):
                return refuse(code, base, count: count, limit: limit, tooLarge: tooLarge)
            }
        }
    }

    private mutating func unfinished(count: Int, limit: Int, tooLarge: Refusal.Code) -> Outcome {
        searched = count
        return count > limit ? .refused(tooLarge) : .incomplete
    }

    /// A wrong line is refused when its end is there, so that too long goes before wrong whatever came first.
    private mutating func refuse(
        _ code: Refusal.Code, _ base: UnsafeRawPointer, count: Int, limit: Int, tooLarge: Refusal.Code
    ) -> Outcome {
        let end = WordScan.first(.lineFeed, in: base, from: position, to: count)
        guard end < count else { return unfinished(count: count, limit: limit, tooLarge: tooLarge) }
        return .refused(end >= limit ? tooLarge : code)
    }

    @inline(__always)
    private static func line(
        _ base: UnsafeRawPointer, _ start: Int, _ end: Int, _ fields: inout [HeaderField],
        _ summary: inout FieldSummary
    ) -> Line {
        guard start < end else { return .incomplete }
        let first = base.byte(start)
        if first == .carriageReturn {
            guard start &+ 1 < end else { return .incomplete }
            return base.byte(start &+ 1) == .lineFeed ? .end(next: start &+ 2) : .wrong(.bareCarriageReturn)
        }
        let colon = WordScan.first(.colon, in: base, from: start, to: end)
        guard colon < end else { return .wrong(wrongName(base, start, end) ?? .missingColon) }
        let id = FieldID.of(base + start, count: colon &- start)
        if id == .other, let code = wrongName(base, start, colon) { return .wrong(code) }

        var value = colon &+ 1
        while value < end, ByteClass.isBlank(base.byte(value)) { value &+= 1 }
        var stop = value
        while true {
            stop = WordScan.firstControl(in: base, from: stop, to: end)
            guard stop < end else { return .incomplete }
            let byte = base.byte(stop)
            if byte == .carriageReturn { break }
            if byte == .tab {
                stop &+= 1
                continue
            }
            return .wrong(byte == .lineFeed ? .bareLineFeed : .controlByte)
        }
        guard stop &+ 1 < end else { return .incomplete }
        guard base.byte(stop &+ 1) == .lineFeed else { return .wrong(.bareCarriageReturn) }
        var last = stop
        while last > value, ByteClass.isBlank(base.byte(last &- 1)) { last &-= 1 }
        summary.note(id, index: fields.count)
        fields.append(HeaderField(name: Slice(start, colon), value: Slice(value, last), id: id))
        return .field(next: stop &+ 2)
    }

    /// What is wrong with a name between `start` and `end`, nil for a token.
    private static func wrongName(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Refusal.Code? {
        guard start < end else { return .invalidFieldName }
        if ByteClass.isBlank(base.byte(start)) { return .foldedLine }
        for position in start..<end {
            let byte = base.byte(position)
            if ByteClass.isToken(byte) { continue }
            switch byte {
            case .lineFeed: return .bareLineFeed
            case .carriageReturn:
                return position &+ 1 < end && base.byte(position &+ 1) == .lineFeed
                    ? .missingColon : .bareCarriageReturn
            case .space, .tab: return isLastBlank(base, position, end) ? .spaceBeforeColon : .invalidFieldName
            default: return ByteClass.isControl(byte) ? .controlByte : .invalidFieldName
            }
        }
        return nil
    }

    /// True when only blanks are left before the colon.
    private static func isLastBlank(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        for position in start..<end where !ByteClass.isBlank(base.byte(position)) { return false }
        return true
    }
}

/// Where the fields that decide about framing are; -1 for a field that has not come.
struct FieldSummary: Sendable {
    var host = -1
    var length = -1
    var coding = -1
    var upgrade = -1
    /// Fields that came twice and may not.
    var hostRepeated = false
    var lengthRepeated = false
    var codingRepeated = false
    var upgradeRepeated = false
    var hasConnection = false
    var hasExpect = false

    @inline(__always)
    mutating func note(_ id: FieldID, index: Int) {
        guard id.rawValue <= FieldID.upgrade.rawValue, id != .other else { return }
        switch id {
        case .host:
            hostRepeated = host >= 0
            host = index
        case .contentLength:
            lengthRepeated = length >= 0
            length = index
        case .transferEncoding:
            codingRepeated = coding >= 0
            coding = index
        case .upgrade:
            upgradeRepeated = upgrade >= 0
            upgrade = index
        case .connection: hasConnection = true
        case .expect: hasExpect = true
        default: break
        }
    }
}
