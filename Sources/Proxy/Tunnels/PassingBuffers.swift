import NIOCore

/// Receive buffers that nobody keeps: each read gets one of its own, as large as the last reads were, and it is gone
/// when its bytes are on their way. Otherwise every connection keeps its largest one for as long as it is open.
struct PassingBuffers: RecvByteBufferAllocator {
    private var sizes: AdaptiveRecvByteBufferAllocator

    /// - Parameter first: NIO keeps the first buffer of a connection whatever is said here: so many bytes.
    init(first: Int) {
        sizes = AdaptiveRecvByteBufferAllocator(minimum: min(first, 256), initial: first, maximum: 65_536)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        sizes.buffer(allocator: allocator)
    }

    /// Nil: a buffer that was kept is used again only when the next would not be larger, which `record` denies.
    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        _ = sizes.record(actualReadBytes: actualReadBytes)
        return true
    }
}

extension ChannelHandlerContext {
    /// From the next read on.
    func receiveInPassingBuffers() {
        try? channel.syncOptions?.setOption(.recvAllocator, value: PassingBuffers(first: 2048))
    }
}
