import NIOCore
import NIOHTTP2

/// Stands between the wire and the HTTP/2 library and looks at frame headers only, both ways: counts what may be a
/// flood, notices header blocks that never end, and sees the library's own GOAWAY, which it does not announce upwards.
final class FrameGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: HTTP2Connection
    private var inbound: FrameScan
    private var outbound = FrameScan()
    private var flood: FloodGuard
    /// What came so far is not looked at any more: the connection has failed.
    private var isDeaf = false
    private var isMute = false
    /// What `inbound.blockNumber` was when something incomplete was first seen.
    private var waitingFor: UInt64?

    private var channelContext: ChannelHandlerContext?

    /// `PRI * HTTP/2.0`, two line ends, `SM`, two line ends.
    static let prefaceLength = 24

    init(connection: HTTP2Connection) {
        self.connection = connection
        inbound = FrameScan(skipping: Self.prefaceLength)
        flood = FloodGuard(now: connection.loop.ticks)
    }

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDeaf else { return }
        var buffer = unwrapInboundIn(data)
        let now = connection.loop.ticks
        var problem: FrameProblem?
        let refused = buffer.withUnsafeReadableBytes { bytes in
            inbound.scan(bytes) { header, payload in
                problem = examine(header, UnsafeRawBufferPointer(rebasing: bytes[payload...]), now)
                return problem == nil
            }
        }
        noteWaiting(now)
        guard let refused, let problem else { return context.fireChannelRead(data) }
        isDeaf = true
        // The library gets what stands before, and never sees the frame that is too much.
        if refused > 0, let before = buffer.readSlice(length: refused) { context.fireChannelRead(wrapInboundOut(before)) }
        connection.fail(problem.code)
    }

    private func examine(
        _ header: FrameScan.Header, _ payload: UnsafeRawBufferPointer, _ now: Int64
    ) -> FrameProblem? {
        if let problem = FrameProblem(header, payload) { return problem }
        connection.received(header)
        return flood.received(header, now: now) ? nil : .flood
    }

    /// A header block or another frame that is begun has to come to its end.
    private func noteWaiting(_ now: Int64) {
        guard inbound.isWaiting else {
            waitingFor = nil
            return connection.waits(since: nil)
        }
        guard waitingFor != inbound.blockNumber else { return }
        waitingFor = inbound.blockNumber
        connection.waits(since: now)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Behind the last word nothing is said.
        guard !isMute else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let now = connection.loop.ticks
        var isFatal = false
        unwrapOutboundIn(data).withUnsafeReadableBytes { bytes in
            _ = outbound.scan(bytes) { header, payload in
                let code = Self.errorCode(header, UnsafeRawBufferPointer(rebasing: bytes[payload...]))
                if header.kind == .goAway, code != 0 { isFatal = true }
                if !flood.sent(header, isRefusal: code != 0, now: now) { connection.failSoon(.enhanceYourCalm) }
                return true
            }
        }
        context.write(data, promise: promise)
        guard isFatal else { return }
        isDeaf = true
        isMute = true
        connection.failed()
    }

    /// What RST_STREAM and GOAWAY say; the library writes both in one piece.
    private static func errorCode(_ header: FrameScan.Header, _ payload: UnsafeRawBufferPointer) -> UInt32 {
        let offset: Int
        switch header.kind {
        case .rstStream: offset = 0
        case .goAway: offset = 4
        case .data, .headers, .priority, .settings, .pushPromise, .ping, .windowUpdate, .continuation, nil: return 0
        }
        guard payload.count >= offset + 4 else { return 1 }
        return UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// GOAWAY that excludes no stream, behind the library's back: with its own, it would refuse what is on its way as
    /// soon as no stream is open.
    func announceEnd() {
        var frame = ByteBuffer()
        frame.writeBytes([0, 0, 8, FrameScan.Kind.goAway.rawValue, 0, 0, 0, 0, 0])
        frame.writeInteger(UInt32(0x7FFF_FFFF))
        frame.writeInteger(UInt32(0))
        channelContext?.write(wrapOutboundOut(frame), promise: nil)
    }

    /// A DATA frame has reached its stream.
    func delivered() { flood.delivered() }

    func becameIdle() { flood.becameIdle() }
}

/// A frame that ends the connection before the library sees it.
enum FrameProblem: Equatable {
    case flood
    /// What the library would let pass.
    case wrong(HTTP2ErrorCode)

    var code: HTTP2ErrorCode {
        switch self {
        case .flood: .enhanceYourCalm
        case .wrong(let code): code
        }
    }

    /// Nil: nothing is wrong with this frame as far as the library does not look itself.
    init?(_ header: FrameScan.Header, _ payload: UnsafeRawBufferPointer) {
        return nil
    }
}
