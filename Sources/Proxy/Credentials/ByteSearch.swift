/// Looks for bytes in bytes, without copying and without text.
enum ByteSearch {
    /// `bytes` hold `needle` somewhere, letters compared as they are.
    static func contains(_ bytes: UnsafeRawBufferPointer, _ needle: StaticString) -> Bool {
        needle.withUTF8Buffer { contains(bytes, UnsafeRawBufferPointer($0)) }
    }

    /// As above, for bytes that are known only when running.
    static func contains(_ bytes: UnsafeRawBufferPointer, _ needle: UnsafeRawBufferPointer) -> Bool {
        guard let first = needle.first else { return true }
        guard bytes.count >= needle.count else { return false }
        for start in 0...(bytes.count - needle.count) where bytes[start] == first {
            if equal(UnsafeRawBufferPointer(rebasing: bytes[start..<start + needle.count]), needle) { return true }
        }
        return false
    }

    /// How often `bytes` hold `byte`; eight are looked at in each step.
    static func count(_ byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int {
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        var count = 0
        var position = 0
        while bytes.count - position >= 8 {
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) ^ pattern
            // The highest bit of each byte that is not zero; no byte carries into the next.
            let others = ((word & 0x7f7f_7f7f_7f7f_7f7f) &+ 0x7f7f_7f7f_7f7f_7f7f) | word
            count += (~others & 0x8080_8080_8080_8080).nonzeroBitCount
            position += 8
        }
        while position < bytes.count {
            if bytes[position] == byte { count += 1 }
            position += 1
        }
        return count
    }

    /// The same bytes.
    static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left[index] != right[index] { return false }
        return true
    }

    /// `bytes` begin with `prefix`, letters compared as they are.
    static func hasPrefix(_ bytes: UnsafeRawBufferPointer, _ prefix: StaticString) -> Bool {
        guard bytes.count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { prefix in
            for index in prefix.indices where bytes[index] != prefix[index] { return false }
            return true
        }
    }

    /// `bytes` begin with `prefix`; an upper-case ASCII letter counts as its lower case.
    ///
    /// - Parameter prefix: in lower case.
    static func hasPrefixIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ prefix: StaticString) -> Bool {
        guard bytes.count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { prefix in
            for index in prefix.indices where lower(bytes[index]) != prefix[index] { return false }
            return true
        }
    }

    /// The same bytes, letters compared without case.
    static func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where lower(left[index]) != lower(right[index]) { return false }
        return true
    }

    /// As long as `secret` and the same bytes, in a time that does not tell where they differ.
    static func equalInConstantTime(_ bytes: UnsafeRawBufferPointer, _ secret: [UInt8]) -> Bool {
        guard bytes.count == secret.count else { return false }
        var difference: UInt8 = 0
        for index in secret.indices { difference |= bytes[index] ^ secret[index] }
        return difference == 0
    }

    /// Without surrounding spaces and tabs.
    static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = bytes.count
        while start < end, isBlank(bytes[start]) { start += 1 }
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
}
