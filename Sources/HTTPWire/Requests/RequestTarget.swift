/// A request target taken apart and judged: that of a request line, or the one that a proxy describes to a check
/// endpoint (`X-Original-URL`, `X-Forwarded-Uri`).
public enum RequestTarget {
    /// The parts of a target, as slices of the bytes that were checked.
    public struct Parts: Sendable, Equatable {
        /// Begins with `/`, or is `*`. Of an absolute-form without a path it is one of the slashes before the authority.
        public var path: Slice
        /// Without its `?`; nil when there is none.
        public var query: Slice?
        /// Host and port of an absolute-form; empty for the others.
        public var authority: Slice
        /// The scheme of an absolute-form; nil for the others.
        public var isHTTPS: Bool?
        /// What the path holds.
        public var traits: PathTraits
        /// The target is `*`.
        public var isAsterisk: Bool
    }

    /// Takes apart an origin-form (`/path?query`) or an absolute-form (`http` or `https`, no user-info). Everything
    /// that no route can lift is refused here; for the rest ask `refusal(for:keeping:)`.
    public static func check(
        _ bytes: UnsafeRawBufferPointer, maximumBytes: Int = 8 * 1024
    ) throws(Refusal) -> Parts {
        guard bytes.count <= maximumBytes else { throw Refusal(.targetTooLong) }
        return try parts(bytes, from: 0, to: bytes.count)
    }

    /// A host with or without a port, as `Host` has to be.
    public static func isHost(_ bytes: UnsafeRawBufferPointer) -> Bool { HostCheck.isValid(bytes) }

    /// Why a path with these traits may not pass a route that keeps some of them; nil when it may. To be asked for
    /// every request: the parser cannot know the route.
    @inline(__always)
    public static func refusal(for traits: PathTraits, keeping kept: PathTraits) -> Refusal? {
        let refused = traits.subtracting(kept).intersection(.liftable)
        if refused.isEmpty { return nil }
        if refused.contains(.encodedSlash) { return Refusal(.encodedSlash) }
        if refused.contains(.encodedBackslash) { return Refusal(.encodedBackslash) }
        return Refusal(.emptySegment)
    }

    /// The parts of the target between two positions; the slices are relative to the whole buffer.
    static func parts(
        _ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int
    ) throws(Refusal) -> Parts {
        guard let base = bytes.baseAddress, start < end else { throw Refusal(.targetInvalid) }
        var parts = Parts(
            path: Slice(start, end), query: nil, authority: Slice(), isHTTPS: nil, traits: [], isAsterisk: false)
        var pathStart = start
        if base.byte(start) != .slash {
            if end &- start == 1, base.byte(start) == 0x2A {
                parts.isAsterisk = true
                return parts
            }
            pathStart = try authority(bytes, start, end, &parts)
        }
        var pathEnd = pathStart
        while pathEnd < end, base.byte(pathEnd) != .question { pathEnd &+= 1 }
        if pathEnd < end {
            for position in (pathEnd &+ 1)..<end { try checkQuery(base.byte(position)) }
            parts.query = Slice(pathEnd &+ 1, end)
        }
        if pathEnd > pathStart {
            parts.path = Slice(pathStart, pathEnd)
            parts.traits = try PathCheck.traits(of: UnsafeRawBufferPointer(rebasing: bytes[pathStart..<pathEnd]))
        } else {
            parts.path = Slice(Int(parts.authority.offset) &- 1, Int(parts.authority.offset))
        }
        return parts
    }

    /// Reads scheme and authority; the position after them, where a path may begin.
    private static func authority(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ parts: inout Parts
    ) throws(Refusal) -> Int {
        let text = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        let host: Int
        if text.count > 7, ASCIIText.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: text[..<7]), "http://") {
            parts.isHTTPS = false
            host = start &+ 7
        } else if text.count > 8, ASCIIText.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: text[..<8]), "https://")
        {
            parts.isHTTPS = true
            host = start &+ 8
        } else {
            throw Refusal(.targetInvalid)
        }
        var stop = host
        while stop < end, bytes[stop] != .slash, bytes[stop] != .question { stop &+= 1 }
        guard HostCheck.isValid(UnsafeRawBufferPointer(rebasing: bytes[host..<stop])) else {
            throw Refusal(.hostInvalid)
        }
        parts.authority = Slice(host, stop)
        return stop
    }

    private static func checkQuery(_ byte: UInt8) throws(Refusal) {
        if ByteClass.isQuery(byte) { return }
        if byte == 0x23 { throw Refusal(.fragment) }
        throw Refusal(byte >= 0x80 ? .targetNotASCII : .controlByte)
    }
}
