import Glibc
import NIOCore

/// A client that takes an answer slowly and steadily. The kernel holds megabytes for it and says nothing before a third of
/// them is free, which takes some readers minutes: nothing was written all that time, and still they are not gone.
struct SlowReader: Equatable {
    /// What the kernel knows of a connection's way out.
    struct Progress: Equatable {
        /// Bytes that have reached the other end since the connection began.
        let arrived: UInt64
        /// Milliseconds since the kernel last had room at the other end to send something to.
        let silence: Int64
    }

    private var last: (arrived: UInt64, at: Int64)?

    /// - Parameters:
    ///   - now: in milliseconds.
    ///   - patience: a longer silence is the end.
    ///   - rate: bytes a second that have to arrive from the second look on.
    /// - Returns: whether the client is to be waited for until the next look.
    mutating func isAtIt(_ progress: Progress, at now: Int64, patience: Int64, rate: Int64) -> Bool {
        defer { last = (progress.arrived, now) }
        guard progress.silence < patience else { return false }
        guard let last else { return true }
        let wanted = max(0, now - last.at) / 1000 * rate
        return progress.arrived >= last.arrived && progress.arrived - last.arrived >= UInt64(max(1, wanted))
    }

    static func == (left: SlowReader, right: SlowReader) -> Bool {
        left.last?.arrived == right.last?.arrived && left.last?.at == right.last?.at
    }
}

extension SlowReader.Progress {
    /// Where things stand in `struct tcp_info` of Linux, in numbers of 32 bits; the last one read is the higher half of
    /// `tcpi_bytes_acked`.
    private static let lastDataSent = 11
    private static let bytesAcknowledged = 30

    /// Nil: there is nothing left to be written to `channel`, or the kernel does not know (it is no TCP).
    init?(_ channel: any Channel) {
        guard channel.isActive, ((try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) > 0,
            let provider = channel as? any SocketOptionProvider
        else { return nil }
        var found: InlineArray<32, UInt32>?
        let asked: EventLoopFuture<InlineArray<32, UInt32>> = provider.unsafeGetSocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO))
        // On the loop it is there at once.
        asked.assumeIsolated().whenSuccess { found = $0 }
        guard let found else { return nil }
        arrived = UInt64(found[Self.bytesAcknowledged]) | UInt64(found[Self.bytesAcknowledged + 1]) << 32
        silence = Int64(found[Self.lastDataSent])
    }
}

extension FrontHandler {
    /// Whether what was written is on its way, if slowly.
    ///
    /// - Parameter patience: in milliseconds.
    /// - Returns: nil when the kernel does not know.
    func isBeingRead(within patience: Int64) -> Bool? {
        guard let channel = channelContext?.channel else { return false }
        // A stream that its own window holds back has none of the connection's progress.
        if isStream, channel.parent?.isWritable ?? true { return false }
        guard let progress = SlowReader.Progress(channel.parent.flatMap { isStream ? $0 : nil } ?? channel) else {
            return nil
        }
        return reader.isAtIt(
            progress, at: loop.ticks, patience: patience, rate: site.configuration.limits.minimumBodyRate)
    }
}
