/// The path of a target, looked at once in every reading that somebody behind us may take.
///
///     segments are split at   /                      (reading A)
///                         or  /  %2f  %5c            (reading B)
///     and each is cut at its first  ;  or  %3b,  its escapes decoded once.
///
/// A dot segment of A is one of B too: what stands before a `;` holds no separator, and B's segment begins where A's
/// does. So B alone is checked. Cutting at `%3b` as well as at `;` covers those who decode before they cut.
enum PathCheck {
    /// The traits of a path that begins with `/`. Refused are dot segments, `%00`, control bytes raw and encoded, `\`,
    /// `#`, bytes from 0x7F, bad escapes, and an encoded `%` before what reads `2e`, `2f`, `5c` or `00`.
    static func traits(of path: UnsafeRawBufferPointer) throws(Refusal) -> PathTraits {
        guard let base = path.baseAddress, base.byte(0) == .slash else { throw Refusal(.targetInvalid) }
        var traits: PathTraits = []
        var segment = Segment()
        var position = 1
        while position < path.count {
            let raw = base.byte(position)
            let byte: UInt8
            if raw == .percent {
                byte = try escape(base, position, path.count, &traits)
                position &+= 3
            } else {
                try checkRaw(raw)
                byte = raw
                position &+= 1
            }
            switch byte {
            case .slash, .backslash:
                if segment.isDots { throw Refusal(.dotSegment) }
                if segment.stem == 0 { traits.insert(.emptySegment) }
                segment = Segment()
            case .semicolon:
                traits.insert(.parameters)
                segment.inParameters = true
            default:
                segment.add(byte)
            }
        }
        if segment.isDots { throw Refusal(.dotSegment) }
        return traits
    }

    /// The part of a segment before its parameters.
    private struct Segment {
        var stem = 0
        var onlyDots = true
        var inParameters = false

        var isDots: Bool { onlyDots && (stem == 1 || stem == 2) }

        mutating func add(_ byte: UInt8) {
            guard !inParameters else { return }
            stem &+= 1
            if byte != .dot { onlyDots = false }
        }
    }

    private static func checkRaw(_ byte: UInt8) throws(Refusal) {
        switch byte {
        case .backslash: throw Refusal(.rawBackslash)
        case 0x23: throw Refusal(.fragment)
        case 0x80...: throw Refusal(.targetNotASCII)
        case 0...0x20, 0x7F: throw Refusal(.controlByte)
        default: break
        }
    }

    private static func escape(
        _ base: UnsafeRawPointer, _ position: Int, _ end: Int, _ traits: inout PathTraits
    ) throws(Refusal) -> UInt8 {
        guard let value = decoded(base, position, end) else { throw Refusal(.badEscape) }
        traits.insert(.escapes)
        switch value {
        case 0: throw Refusal(.encodedNull)
        case 1...0x1F, 0x7F: throw Refusal(.encodedControl)
        case .slash: traits.insert(.encodedSlash)
        case .backslash: traits.insert(.encodedBackslash)
        case .percent: if hidesEscape(base, position &+ 3, end) { throw Refusal(.doubleEscape) }
        default: break
        }
        return value
    }

    /// The byte that a `%` at this position stands for; nil for a bad escape.
    private static func decoded(_ base: UnsafeRawPointer, _ position: Int, _ end: Int) -> UInt8? {
        guard position &+ 2 < end, let high = ByteClass.hexValue(base.byte(position &+ 1)),
            let low = ByteClass.hexValue(base.byte(position &+ 2))
        else { return nil }
        return high &<< 4 | low
    }

    /// True when the next two bytes, decoded once, are `2e`, `2f`, `5c` or `00`: a second decoding would make a dot, a
    /// slash, a backslash or NUL of them.
    private static func hidesEscape(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        var position = start
        var value: UInt8 = 0
        for _ in 0..<2 {
            guard position < end else { return false }
            var byte = base.byte(position)
            if byte == .percent {
                guard let inner = decoded(base, position, end) else { return false }
                byte = inner
                position &+= 2
            }
            position &+= 1
            guard let digit = ByteClass.hexValue(byte) else { return false }
            value = value &<< 4 | digit
        }
        return value == .dot || value == .slash || value == .backslash || value == 0
    }
}
