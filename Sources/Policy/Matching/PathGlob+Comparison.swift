extension PathGlob {
    /// A part of a segment: a byte, any run of bytes, or a letter in either case.
    private enum Token: Equatable {
        case byte(UInt8)
        case run
        case eitherCase
    }

    private enum Part {
        case anyNumber
        case segment([Token])
    }

    /// Every path that `other` matches, this one matches too. Sound, not complete: a yes is certain.
    func covers(_ other: PathGlob) -> Bool {
        let outer = parts(loweringLetters: ignoresCase, hidingLetters: false)
        let inner = other.parts(loweringLetters: ignoresCase, hidingLetters: other.ignoresCase && !ignoresCase)
        return PatternComparison.covers(
            outer, inner, isMany: Self.isAnyNumber,
            oneCovers: { left, right in
                guard case .segment(let left) = left, case .segment(let right) = right else { return false }
                return PatternComparison.covers(
                    left, right, isMany: { $0 == .run }, oneCovers: { $0 == $1 && $1 != .eitherCase })
            })
    }

    /// There is a path that both match.
    func overlaps(_ other: PathGlob) -> Bool {
        let lowers = ignoresCase || other.ignoresCase
        return PatternComparison.overlap(
            parts(loweringLetters: lowers, hidingLetters: false),
            other.parts(loweringLetters: lowers, hidingLetters: false), isMany: Self.isAnyNumber,
            onesOverlap: { left, right in
                guard case .segment(let left) = left, case .segment(let right) = right else { return false }
                return PatternComparison.overlap(left, right, isMany: { $0 == .run }, onesOverlap: { $0 == $1 })
            })
    }

    private static func isAnyNumber(_ part: Part) -> Bool {
        if case .anyNumber = part { true } else { false }
    }

    private func parts(loweringLetters lowers: Bool, hidingLetters hides: Bool) -> [Part] {
        segmentTexts.map { segment in
            if segment.elementsEqual("**".utf8) { return .anyNumber }
            return .segment(
                segment.map { byte in
                    if byte == Wildcard.star { return .run }
                    let isLetter = byte >= 0x80 || (0x61...0x7a).contains(Wildcard.folded(byte))
                    if hides, isLetter { return .eitherCase }
                    return .byte(lowers ? Wildcard.folded(byte) : byte)
                })
        }
    }

    private var segmentTexts: [[UInt8]] {
        let whole = shape == .below || shape == .everything ? bytes + Array("/**".utf8) : bytes
        return segments.map { Array(whole[$0.range]) }
    }
}
