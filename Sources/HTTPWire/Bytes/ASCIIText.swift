/// Comparisons of protocol words, which are ASCII and mostly without case.
public enum ASCIIText {
    /// True when the bytes are the word, letters compared without case. `lowercase` is written in lower case and holds
    /// letters and bytes below 0x40 only.
    @inline(__always)
    public static func equalsIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ lowercase: StaticString) -> Bool {
        guard bytes.count == lowercase.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        return matches(base, lowercase)
    }

    /// True when the bytes are exactly the word.
    public static func equals(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count == count, let base = bytes.baseAddress else { return bytes.count == count }
        for position in 0..<count where base.byte(position) != word.utf8Start[position] { return false }
        return true
    }

    /// True when both are the same but for the case of letters.
    public static func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for position in 0..<left.count where lowercased(left[position]) != lowercased(right[position]) { return false }
        return true
    }

    /// The non-empty items of a comma-separated list (RFC 9110 section 5.6.1), blanks around them taken off, as slices
    /// of the same buffer. Quoted strings are not understood: for lists of tokens only.
    public static func forEachListItem(
        of list: Slice, in bytes: UnsafeRawBufferPointer, _ body: (Slice, UnsafeRawBufferPointer) -> Void
    ) {
        let value = list.bytes(in: bytes)
        guard let base = value.baseAddress else { return }
        var start = 0
        while start <= value.count {
            let comma = WordScan.first(.comma, in: base, from: start, to: value.count)
            var first = start
            var last = comma
            while first < last, ByteClass.isBlank(base.byte(first)) { first &+= 1 }
            while last > first, ByteClass.isBlank(base.byte(last &- 1)) { last &-= 1 }
            if first < last {
                let item = Slice(Int(list.offset) &+ first, Int(list.offset) &+ last)
                body(item, UnsafeRawBufferPointer(rebasing: value[first..<last]))
            }
            start = comma &+ 1
        }
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// As many bytes as the word has, compared eight at a time; the caller has checked the length.
    ///
    /// Case is folded only where the word has a letter (bit 6 set): folding every byte would let CR pass for `-`.
    @inline(__always)
    static func matches(_ base: UnsafeRawPointer, _ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        let word = UnsafeRawPointer(lowercase.utf8Start)
        if count >= 8 {
            var position = 0
            while position &+ 8 < count {
                if !matches8(base, word, position) { return false }
                position &+= 8
            }
            return matches8(base, word, count &- 8)
        }
        if count >= 4 { return matches4(base, word, 0) && matches4(base, word, count &- 4) }
        for position in 0..<count {
            let expected = word.byte(position)
            if base.byte(position) | ((expected & 0x40) &>> 1) != expected { return false }
        }
        return true
    }

    @inline(__always)
    private static func matches8(_ base: UnsafeRawPointer, _ word: UnsafeRawPointer, _ position: Int) -> Bool {
        let expected = word.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        let folding = (expected & 0x4040_4040_4040_4040) &>> 1
        return base.loadUnaligned(fromByteOffset: position, as: UInt64.self) | folding == expected
    }

    @inline(__always)
    private static func matches4(_ base: UnsafeRawPointer, _ word: UnsafeRawPointer, _ position: Int) -> Bool {
        let expected = word.loadUnaligned(fromByteOffset: position, as: UInt32.self)
        let folding = (expected & 0x4040_4040) &>> 1
        return base.loadUnaligned(fromByteOffset: position, as: UInt32.self) | folding == expected
    }
}
