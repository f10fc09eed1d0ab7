/// Reads `SIZE[;name[=value]]…` and its line end: 1 to 16 hexadecimal digits, extensions by the grammar of RFC 9112
/// section 7.1.1 without blanks.
enum ChunkSizeLine {
    enum Outcome {
        case incomplete
        case wrong(Refusal.Code)
        /// The size, the bytes of extensions, and the position after the line end.
        case complete(size: UInt64, extensions: Int, next: Int)
    }

    /// Exits are in `step`.
    private enum State {
        case nameStart, name, valueStart, value, quoted, escaped, quotedEnd
    }

    static func read(_ base: UnsafeRawPointer, _ start: Int, _ end: Int, limit: Int) -> Outcome {
        var size: UInt64 = 0
        var position = start
        while position < end, let digit = ByteClass.hexValue(base.byte(position)) {
            guard position &- start < 16 else { return .wrong(.chunkSizeInvalid) }
            size = size &<< 4 | UInt64(digit)
            position &+= 1
        }
        guard position < end else { return .incomplete }
        guard position > start, size <= UInt64(Int64.max) else { return .wrong(.chunkSizeInvalid) }
        let sizeEnd = position
        if base.byte(position) == .semicolon {
            switch extensions(base, position &+ 1, end, limit: start &+ limit) {
            case .incomplete: return .incomplete
            case .wrong(let code): return .wrong(code)
            case .end(let stop): position = stop
            }
        } else if base.byte(position) != .carriageReturn {
            return .wrong(base.byte(position) == .lineFeed ? .bareLineFeed : .chunkSizeInvalid)
        }
        guard position &+ 1 < end else { return .incomplete }
        guard base.byte(position &+ 1) == .lineFeed else { return .wrong(.bareCarriageReturn) }
        return .complete(size: size, extensions: position &- sizeEnd, next: position &+ 2)
    }

    private enum Extensions {
        case incomplete
        case wrong(Refusal.Code)
        case end(Int)
    }

    /// Reads behind the first `;` up to the CR.
    private static func extensions(_ base: UnsafeRawPointer, _ start: Int, _ end: Int, limit: Int) -> Extensions {
        var state = State.nameStart
        var position = start
        while position < end {
            if position >= limit { return .wrong(.chunkExtensionTooLong) }
            let byte = base.byte(position)
            if byte == .carriageReturn, state == .name || state == .value || state == .quotedEnd {
                return .end(position)
            }
            guard let next = step(state, byte) else {
                return .wrong(byte == .lineFeed ? .bareLineFeed : .chunkExtensionInvalid)
            }
            state = next
            position &+= 1
        }
        return .incomplete
    }

    private static func step(_ state: State, _ byte: UInt8) -> State? {
        switch state {
        case .nameStart: return ByteClass.isToken(byte) ? .name : nil
        case .name:
            if byte == .equals { return .valueStart }
            if byte == .semicolon { return .nameStart }
            return ByteClass.isToken(byte) ? .name : nil
        case .valueStart:
            if byte == .quote { return .quoted }
            return ByteClass.isToken(byte) ? .value : nil
        case .value:
            if byte == .semicolon { return .nameStart }
            return ByteClass.isToken(byte) ? .value : nil
        case .quoted:
            if byte == .quote { return .quotedEnd }
            if byte == .backslash { return .escaped }
            return isText(byte) ? .quoted : nil
        case .escaped: return isText(byte) ? .quoted : nil
        case .quotedEnd: return byte == .semicolon ? .nameStart : nil
        }
    }

    private static func isText(_ byte: UInt8) -> Bool { byte == .tab || !ByteClass.isControl(byte) }
}
