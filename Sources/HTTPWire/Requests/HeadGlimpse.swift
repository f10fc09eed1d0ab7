/// What a head that was refused seems to ask for: to tell in a log, never to judge by. Read from the bytes alone, each
/// part only as far as it can be told apart; what cannot is empty. Looks at every byte once at most.
public struct HeadGlimpse: Sendable, Equatable {
    /// A token at the start, as a method is.
    public private(set) var method = Slice()
    /// What stands where a target's path does; of another form than origin and absolute, all of the target. Without the
    /// query and whatever follows a `#`: both may hold secrets.
    public private(set) var path = Slice()
    /// The value of the first `Host`, or the authority of an absolute-form.
    public private(set) var host = Slice()

    private static let longestMethod = 64

    /// Looks at the bytes of a head from its beginning on.
    public init(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 2 else { return }
        let start = base.byte(0) == .carriageReturn && base.byte(1) == .lineFeed ? 2 : 0
        let lineEnd = WordScan.first(.lineFeed, in: base, from: start, to: bytes.count)
        readLine(base, start, lineEnd)
        if lineEnd < bytes.count, let found = Self.host(base, lineEnd &+ 1, bytes.count) { host = found }
    }

    /// The method, if it is one of those that are told apart.
    public func methodKind(in bytes: UnsafeRawBufferPointer) -> Method { Method.of(method.bytes(in: bytes)) }

    private mutating func readLine(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) {
        var space = start
        while space < end, ByteClass.isToken(base.byte(space)) { space &+= 1 }
        guard space > start, space &- start <= Self.longestMethod, space < end, base.byte(space) == .space else {
            return
        }
        method = Slice(start, space)
        var target = space
        while target < end, base.byte(target) == .space { target &+= 1 }
        var targetEnd = target
        while targetEnd < end, !Self.endsTarget(base.byte(targetEnd)) { targetEnd &+= 1 }
        guard target < targetEnd else { return }
        let pathStart = base.byte(target) == .slash ? target : readAuthority(base, target, targetEnd)
        var pathEnd = pathStart
        while pathEnd < targetEnd, base.byte(pathEnd) != .question, base.byte(pathEnd) != 0x23 { pathEnd &+= 1 }
        path = Slice(pathStart, pathEnd)
    }

    /// A blank or a line end; what else has no place in a target is what it may have been refused for.
    private static func endsTarget(_ byte: UInt8) -> Bool {
        byte == .space || byte == .carriageReturn || byte == .lineFeed
    }

    /// - Returns: where the path begins: behind the authority, or where the target does.
    private mutating func readAuthority(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        var colon = start
        while colon < end, ByteClass.isToken(base.byte(colon)) { colon &+= 1 }
        guard colon > start, colon &+ 2 < end, base.byte(colon) == .colon, base.byte(colon &+ 1) == .slash,
            base.byte(colon &+ 2) == .slash
        else { return start }
        var stop = colon &+ 3
        while stop < end, base.byte(stop) != .slash, base.byte(stop) != .question, base.byte(stop) != 0x23 {
            stop &+= 1
        }
        // User information is a secret, and no part of a host.
        var first = colon &+ 3
        for position in first..<stop where base.byte(position) == 0x40 { first = position &+ 1 }
        host = Slice(first, stop)
        return stop
    }

    /// The value of the first line whose name is `Host`, blanks around it taken off.
    private static func host(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Slice? {
        var line = start
        while line < end {
            let next = WordScan.first(.lineFeed, in: base, from: line, to: end)
            var stop = next
            if stop > line, base.byte(stop &- 1) == .carriageReturn { stop &-= 1 }
            guard stop > line else { return nil }
            if stop &- line > 4, ASCIIText.matches(base + line, "host") {
                var value = line &+ 4
                while value < stop, ByteClass.isBlank(base.byte(value)) { value &+= 1 }
                if value < stop, base.byte(value) == .colon {
                    value &+= 1
                    while value < stop, ByteClass.isBlank(base.byte(value)) { value &+= 1 }
                    while stop > value, ByteClass.isBlank(base.byte(stop &- 1)) { stop &-= 1 }
                    return Slice(value, stop)
                }
            }
            line = next &+ 1
        }
        return nil
    }
}
