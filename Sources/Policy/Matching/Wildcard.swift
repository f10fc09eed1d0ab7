/// `*` as any run of characters, over a range of bytes. Remembers only the last star, so the work is at most pattern
/// length times text length, whatever the text.
enum Wildcard {
    static let star = UInt8(ascii: "*")

    @inline(__always)
    static func folded(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// - Parameter folds: compares ASCII letters of `text` in lower case; `pattern` is in lower case already.
    static func matches(
        _ pattern: Span<UInt8>, _ patternRange: Range<Int>, _ text: Span<UInt8>, _ textRange: Range<Int>, folds: Bool
    ) -> Bool {
        var inPattern = patternRange.lowerBound
        var inText = textRange.lowerBound
        var afterStar = -1
        var starTook = 0
        while inText < textRange.upperBound {
            if inPattern < patternRange.upperBound, pattern[inPattern] == star {
                inPattern += 1
                afterStar = inPattern
                starTook = inText
                continue
            }
            if inPattern < patternRange.upperBound {
                let byte = folds ? folded(text[inText]) : text[inText]
                if pattern[inPattern] == byte {
                    inPattern += 1
                    inText += 1
                    continue
                }
            }
            guard afterStar >= 0 else { return false }
            starTook += 1
            inText = starTook
            inPattern = afterStar
        }
        while inPattern < patternRange.upperBound, pattern[inPattern] == star { inPattern += 1 }
        return inPattern == patternRange.upperBound
    }
}

/// Questions about all the words that two patterns match, for finding rules that can never match. `Many` elements
/// stand for any run of elements, `one` elements for a set of single ones.
enum PatternComparison {
    /// Every word of `inner` is a word of `outer`. May say no where it is so (never yes where it is not).
    static func covers<Element>(
        _ outer: [Element], _ inner: [Element], isMany: (Element) -> Bool, oneCovers: (Element, Element) -> Bool
    ) -> Bool {
        let width = inner.count + 1
        var table = [Bool](repeating: false, count: (outer.count + 1) * width)
        table[outer.count * width + inner.count] = true
        for i in stride(from: outer.count - 1, through: 0, by: -1) {
            for j in stride(from: inner.count, through: 0, by: -1) {
                let here: Bool
                if isMany(outer[i]) {
                    here = table[(i + 1) * width + j] || (j < inner.count && table[i * width + j + 1])
                } else {
                    here =
                        j < inner.count && !isMany(inner[j]) && oneCovers(outer[i], inner[j])
                        && table[(i + 1) * width + j + 1]
                }
                table[i * width + j] = here
            }
        }
        return table[0]
    }

    /// Some word is a word of both.
    static func overlap<Element>(
        _ left: [Element], _ right: [Element], isMany: (Element) -> Bool, onesOverlap: (Element, Element) -> Bool
    ) -> Bool {
        let width = right.count + 1
        var table = [Bool](repeating: false, count: (left.count + 1) * width)
        for i in stride(from: left.count, through: 0, by: -1) {
            for j in stride(from: right.count, through: 0, by: -1) {
                let hasLeft = i < left.count
                let hasRight = j < right.count
                var here = !hasLeft && !hasRight
                if hasLeft, isMany(left[i]) {
                    here = here || table[(i + 1) * width + j] || (hasRight && table[i * width + j + 1])
                }
                if hasRight, isMany(right[j]) {
                    here = here || table[i * width + j + 1] || (hasLeft && table[(i + 1) * width + j])
                }
                if hasLeft, hasRight, !isMany(left[i]), !isMany(right[j]), onesOverlap(left[i], right[j]) {
                    here = here || table[(i + 1) * width + j + 1]
                }
                table[i * width + j] = here
            }
        }
        return table[0]
    }
}
