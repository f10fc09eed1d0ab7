/// A run of bytes in the buffer that was parsed. It names bytes and does not hold them: the buffer's owner keeps them.
public struct Slice: Sendable, Hashable {
    /// Bytes from the start of the parsed buffer.
    public var offset: UInt32
    /// Length in bytes.
    public var count: UInt32

    /// The empty slice at the start.
    public init() {
        offset = 0
        count = 0
    }

    /// A slice of `count` bytes from `offset`.
    public init(offset: UInt32, count: UInt32) {
        self.offset = offset
        self.count = count
    }

    /// The slice of a half-open range of positions; heads are bounded far below 4 GiB.
    @inline(__always)
    init(_ start: Int, _ end: Int) {
        offset = UInt32(truncatingIfNeeded: start)
        count = UInt32(truncatingIfNeeded: end &- start)
    }

    /// True for no bytes.
    public var isEmpty: Bool { count == 0 }

    /// The positions as a range.
    public var range: Range<Int> {
        let start = Int(offset)
        return start..<(start + Int(count))
    }

    /// The slice's bytes in the buffer that it was made from. Empty when it does not lie inside `buffer`.
    @inlinable
    public func bytes(in buffer: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = Int(offset)
        let end = start &+ Int(count)
        guard end <= buffer.count, let base = buffer.baseAddress else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(start: base + start, count: Int(count))
    }
}

/// One header or trailer field: where its name and value are, and which well-known field it is.
public struct HeaderField: Sendable, Equatable {
    /// The name as it came: a token (RFC 9110 section 5.6.2).
    public var name: Slice
    /// The value without the blanks around it; may be empty, may hold obs-text, never a control byte but HTAB.
    public var value: Slice
    /// The well-known field of that name, compared without case.
    public var id: FieldID

    /// A field made of its parts.
    public init(name: Slice, value: Slice, id: FieldID) {
        self.name = name
        self.value = value
        self.id = id
    }
}
