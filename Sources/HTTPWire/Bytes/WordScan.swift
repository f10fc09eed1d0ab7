/// Searches that look at eight bytes at once.
///
/// The flags of a word are exact for its lowest flagged byte only (a borrow may spill upwards), which is the one that
/// is used: the words are read little-endian.
enum WordScan {
    /// The first position in `start..<end` that holds `byte`; `end` when there is none.
    @inline(__always)
    static func first(_ byte: UInt8, in base: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        var position = start
        while position &+ 8 <= end {
            let word = load(base, position) ^ pattern
            let flags = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if flags != 0 { return position &+ flags.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < end {
            if base.byte(position) == byte { return position }
            position &+= 1
        }
        return end
    }

    /// The first position in `start..<end` that holds a C0 control byte or DEL; `end` when there is none.
    @inline(__always)
    static func firstControl(in base: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
        var position = start
        while position &+ 8 <= end {
            let word = load(base, position)
            let deletes = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let low = (word &- 0x2020_2020_2020_2020) & ~word
            let delete = (deletes &- 0x0101_0101_0101_0101) & ~deletes
            let flags = (low | delete) & 0x8080_8080_8080_8080
            if flags != 0 { return position &+ flags.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < end {
            if ByteClass.isControl(base.byte(position)) { return position }
            position &+= 1
        }
        return end
    }

    @inline(__always)
    static func load(_ base: UnsafeRawPointer, _ position: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }
}
