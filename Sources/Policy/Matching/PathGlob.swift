/// A path glob, compiled once: `*` is any run of characters inside a segment, `**` as a whole segment any number of
/// segments, none included. It is compared with a canonical path: `/` before every segment, nothing after the last one
/// (so the root is empty), escapes decoded; a byte 0 stands for an encoded slash that is kept as data, and only a
/// wildcard matches it.
///
/// The work is bounded by pattern length squared times path length: both levels remember only their last star.
struct PathGlob: Sendable {
    /// The common shapes are compared without looking at segments.
    enum Shape: Sendable {
        /// `/**`
        case everything
        /// No wildcard.
        case exact
        /// No wildcard but a last `/**`.
        case below
        case general
    }

    struct Segment: Sendable {
        let range: Range<Int>
        let isAnyNumber: Bool
    }

    /// As configured.
    let text: String
    let shape: Shape
    /// The pattern; for ``Shape/below`` without its last segment.
    let bytes: [UInt8]
    let segments: [Segment]
    let ignoresCase: Bool

    /// - Throws: a sentence that says why `text` is no glob.
    init(_ text: String, ignoringCase: Bool, emptySegments: Bool) throws(GlobProblem) {
        var pattern = Array((ignoringCase ? CaseFolding.fold(text) : text).utf8)
        try Self.check(pattern)
        if pattern.last == UInt8(ascii: "/") { pattern.removeLast() }
        var segments: [Segment] = []
        var wildcards = 0
        var start = 0
        while start < pattern.count {
            var end = start + 1
            while end < pattern.count, pattern[end] != UInt8(ascii: "/") { end += 1 }
            let segment = pattern[start + 1..<end]
            try Self.check(segment: segment, emptySegments: emptySegments)
            let isAnyNumber = segment.elementsEqual("**".utf8)
            if segment.contains(Wildcard.star) { wildcards += 1 }
            segments.append(Segment(range: start + 1..<end, isAnyNumber: isAnyNumber))
            start = end
        }
        self.text = text
        self.segments = segments
        ignoresCase = ignoringCase
        if wildcards == 0 {
            shape = .exact
        } else if wildcards == 1, let last = segments.last, last.isAnyNumber {
            shape = segments.count == 1 ? .everything : .below
            pattern.removeLast(3)
        } else {
            shape = .general
        }
        bytes = pattern
    }

    private static func check(_ pattern: [UInt8]) throws(GlobProblem) {
        guard pattern.first == UInt8(ascii: "/") else { throw GlobProblem("a path begins with \"/\"") }
        guard pattern.count <= 1024 else { throw GlobProblem("longer than 1024 bytes") }
        for (index, byte) in pattern.enumerated() {
            switch byte {
            case 0x00...0x1f, 0x7f: throw GlobProblem("control characters are refused in paths")
            case UInt8(ascii: "?"), UInt8(ascii: "#"):
                throw GlobProblem("only the path is compared, never a query or fragment")
            case UInt8(ascii: ";"): throw GlobProblem("\";parameters\" are taken off before a path is compared")
            case UInt8(ascii: "\\"): throw GlobProblem("there is no escape character")
            case UInt8(ascii: "{"), UInt8(ascii: "}"): throw GlobProblem("the wildcards are \"*\" and \"**\"")
            case UInt8(ascii: "%"):
                if index + 2 < pattern.count, PathScan.hexDigit(pattern[index + 1]) != nil,
                    PathScan.hexDigit(pattern[index + 2]) != nil
                {
                    throw GlobProblem("paths are compared decoded: write the character itself")
                }
            case _: break
            }
        }
    }

    private static func check(segment: ArraySlice<UInt8>, emptySegments: Bool) throws(GlobProblem) {
        if segment.isEmpty, !emptySegments { throw GlobProblem("an empty segment is refused in paths") }
        if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) {
            throw GlobProblem("\".\" and \"..\" are refused in paths")
        }
        if segment.count > 2 || segment.first != Wildcard.star, Self.hasTwoStars(segment) {
            throw GlobProblem("\"**\" is a segment of its own")
        }
    }

    private static func hasTwoStars(_ segment: ArraySlice<UInt8>) -> Bool {
        zip(segment, segment.dropFirst()).contains { $0 == Wildcard.star && $1 == Wildcard.star }
    }

    /// - Parameter path: canonical.
    func matches(_ path: Span<UInt8>) -> Bool {
        switch shape {
        case .everything: return true
        case .exact: return path.count == bytes.count && hasPrefix(path)
        case .below:
            let count = bytes.count
            return path.count >= count && (path.count == count || path[count] == UInt8(ascii: "/")) && hasPrefix(path)
        case .general: return matchesSegments(path)
        }
    }

    @inline(__always)
    private func hasPrefix(_ path: Span<UInt8>) -> Bool {
        let pattern = bytes.span
        for index in pattern.indices {
            let byte = ignoresCase ? Wildcard.folded(path[index]) : path[index]
            if byte != pattern[index] { return false }
        }
        return true
    }

    private func matchesSegments(_ path: Span<UInt8>) -> Bool {
        let pattern = bytes.span
        var next = 0
        var position = 0
        var afterMany = -1
        var manyTook = 0
        while position < path.count {
            if next < segments.count, segments[next].isAnyNumber {
                next += 1
                afterMany = next
                manyTook = position
                continue
            }
            let end = Self.segmentEnd(path, position)
            if next < segments.count,
                Wildcard.matches(pattern, segments[next].range, path, position + 1..<end, folds: ignoresCase)
            {
                next += 1
                position = end
                continue
            }
            guard afterMany >= 0 else { return false }
            manyTook = Self.segmentEnd(path, manyTook)
            position = manyTook
            next = afterMany
        }
        while next < segments.count, segments[next].isAnyNumber { next += 1 }
        return next == segments.count
    }

    /// The position of the slash after the one at `start`, or the end.
    private static func segmentEnd(_ path: Span<UInt8>, _ start: Int) -> Int {
        var end = start + 1
        while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
        return end
    }
}

/// Why a text is no glob.
struct GlobProblem: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
