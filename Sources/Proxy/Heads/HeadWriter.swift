import NIOCore

/// Writes a head into memory that is there already: one look at the room for each piece, no reference counting, and a
/// piece whose length is known when this is compiled becomes a few stores. What does not fit is counted and left out.
struct HeadWriter: ~Copyable {
    private let start: UnsafeMutableRawPointer?
    private let room: Int
    /// Bytes that were to be written so far; more than there was room for when the head is not whole.
    private(set) var count = 0

    init(_ target: UnsafeMutableRawBufferPointer) {
        start = target.baseAddress
        room = target.count
    }

    @inline(__always)
    mutating func text(_ text: StaticString) {
        guard let target = take(text.utf8CodeUnitCount) else { return }
        target.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    }

    @inline(__always)
    mutating func bytes(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, let target = take(bytes.count) else { return }
        target.copyMemory(from: source, byteCount: bytes.count)
    }

    @inline(__always)
    mutating func bytes(_ array: [UInt8]) {
        array.withUnsafeBytes { bytes($0) }
    }

    /// Sixteen digits in lower case.
    mutating func hexadecimal(_ value: UInt64) {
        guard let target = take(16) else { return }
        // One digit a byte, the first in the highest: the lower half of the value, then the upper one.
        target.storeBytes(of: Self.digits(UInt32(truncatingIfNeeded: value >> 32)).bigEndian, as: UInt64.self)
        target.storeBytes(
            of: Self.digits(UInt32(truncatingIfNeeded: value)).bigEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// Eight digits, the first in the highest byte.
    @inline(__always)
    private static func digits(_ value: UInt32) -> UInt64 {
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // Ten and more carry into the fifth bit when six is added: those are letters.
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    /// Decimal digits of a number that is not negative.
    mutating func decimal(_ value: Int) {
        var rest = value < 0 ? 0 : UInt64(value)
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { digits in
            var first = digits.count
            repeat {
                first -= 1
                digits[first] = UInt8(0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            bytes(UnsafeRawBufferPointer(rebasing: digits[first...]))
        }
    }

    /// The place for `size` bytes; nil when there is none.
    @inline(__always)
    private mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
        let from = count
        count += size
        return count <= room ? start.map { $0 + from } : nil
    }
}

extension ByteBuffer {
    /// What nearly every head has room in.
    private static let usualHead = 512

    /// Appends what `render` writes. It is asked a second time, and has to write the same, when the room was too small.
    mutating func writeHead(_ render: (inout HeadWriter) -> Void) {
        var room = Self.usualHead
        var isWhole = false
        while !isWhole {
            var wanted = 0
            writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                var writer = HeadWriter(target)
                render(&writer)
                wanted = writer.count
                isWhole = wanted <= target.count
                return isWhole ? wanted : 0
            }
            room = wanted
        }
    }
}
