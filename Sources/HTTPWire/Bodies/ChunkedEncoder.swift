public import NIOCore

/// The pieces around the data of a chunked body.
///
///     head(n)  data of n bytes  tail  …  end                    without trailers
///     head(n)  data of n bytes  tail  …  lastChunk  field lines  tail
public enum ChunkedEncoder {
    /// Bytes that stand around the data of one chunk and, without trailers, behind the last, at most.
    public static let frame = 16 + 2 + 2 + 5

    /// The size line of a chunk of `count` bytes. Nothing for none: a size of zero would end the body.
    public static func writeHead(_ count: Int, into buffer: inout ByteBuffer) {
        guard count > 0 else { return }
        let value = UInt64(count)
        var shift = (63 - value.leadingZeroBitCount) / 4 * 4
        while shift >= 0 {
            let nibble = UInt8(value >> UInt64(shift) & 15)
            buffer.writeInteger(nibble < 10 ? nibble + 0x30 : nibble + 0x57)
            shift -= 4
        }
        writeTail(into: &buffer)
    }

    /// The line end behind a chunk's data, or behind the trailers.
    public static func writeTail(into buffer: inout ByteBuffer) {
        buffer.writeInteger(0x0D0A as UInt16)
    }

    /// The end of a body without trailers.
    public static func writeEnd(into buffer: inout ByteBuffer) {
        writeLastChunk(into: &buffer)
        writeTail(into: &buffer)
    }

    /// The last chunk; field lines and `writeTail` follow.
    public static func writeLastChunk(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("0\r\n")
    }
}
