import NIOCore
import NIOHTTP2

/// Stands between the wire and the HTTP/2 library and looks at frame headers only, both ways: counts what may be a
/// flood, notices header blocks that never end, and sees the library's own GOAWAY, which it does not announce upwards.
///
/// The library writes each header block and each piece of a body by itself and flushes for each stream. Small pieces are
/// gathered here, so that they are one write (and one record of TLS), and the streams that end in one tick of the loop are
/// flushed together.
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
    /// The preface and the frame behind it, until they are whole; nil: they were.
    private var opening: ByteBuffer? = ByteBuffer()
    /// The client's acknowledgement of our SETTINGS is still to come.
    private var awaitsAcknowledgement = false
    private var held: ByteBuffer?
    private var isMute = false
    /// What `inbound.blockNumber` was when something incomplete was first seen.
    private var waitingFor: UInt64?

    private var channelContext: ChannelHandlerContext?

    /// What was written and has not gone down yet, in order before all that follows.
    private var gathered = ByteBuffer()
    /// A flush comes at the end of this tick.
    private var flushIsDue = false

    /// Longer pieces go down as they are: copying them would cost more than a write.
    private static let smallPiece = 1024
    private static let mostGathered = 8192

    /// `PRI * HTTP/2.0`, two line ends, `SM`, two line ends.
    static let prefaceLength = 24

    init(connection: HTTP2Connection) {
        self.connection = connection
        inbound = FrameScan(skipping: Self.prefaceLength)
        flood = FloodGuard(now: connection.loop.ticks)
    }

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    /// What a write has ended gets no further frames, however many of them are at hand.
    func channelInactive(context: ChannelHandlerContext) {
        isDeaf = true
        isMute = true
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDeaf else { return }
        let buffer = unwrapInboundIn(data)
        if var start = opening {
            opening = nil
            start.writeImmutableBuffer(buffer)
            open(start, context)
        } else {
            pass(buffer, context)
        }
    }

    /// The library holds clients to what we said only once they have acknowledged it, and to less than that before: a
    /// browser's first request may have more cookies. So the acknowledgement is put right behind the client's own
    /// SETTINGS, and the real one is left out.
    private func open(_ start: ByteBuffer, _ context: ChannelHandlerContext) {
        let length = start.withUnsafeReadableBytes { Self.openingLength($0) }
        guard let length else { return pass(start, context) }
        var rest = start
        guard let first = rest.readSlice(length: length) else {
            opening = start
            return connection.waits(since: connection.loop.ticks)
        }
        pass(first, context)
        guard !isDeaf else { return }
        awaitsAcknowledgement = true
        context.fireChannelRead(
            wrapInboundOut(ByteBuffer(bytes: [0, 0, 0, FrameScan.Kind.settings.rawValue, 1, 0, 0, 0, 0])))
        if rest.readableBytes > 0, !isDeaf { pass(rest, context) }
    }

    /// Bytes of the preface with the frame behind it, as far as they may be; nil when that is not SETTINGS of a sensible
    /// size.
    private static func openingLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let header = prefaceLength + FrameScan.headerLength
        guard bytes.count >= header else { return header }
        var scan = FrameScan(skipping: prefaceLength)
        var found: FrameScan.Header?
        _ = scan.scan(UnsafeRawBufferPointer(rebasing: bytes[..<header])) { header, _ in
            found = header
            return true
        }
        guard let found, found.kind == .settings, !found.hasFirstFlag, found.length <= 256 else { return nil }
        return header + found.length
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var buffer = bytes
        let now = connection.loop.ticks
        var isFlood = false
        let stop = buffer.withUnsafeReadableBytes { bytes in
            inbound.scan(bytes) { header, _ in
                if awaitsAcknowledgement, header.isAcknowledgement {
                    awaitsAcknowledgement = false
                    return false
                }
                connection.received(header)
                isFlood = !flood.received(header, now: now)
                return !isFlood
            }
        }
        noteWaiting(now)
        guard let stop else { return forward(buffer, context) }
        if isFlood { isDeaf = true }
        let skipped = stop + FrameScan.headerLength
        // The library gets what stands before the frame, which it never sees.
        if stop >= 0, let before = buffer.readSlice(length: stop) { forward(before, context) }
        held = nil
        if isFlood { return connection.fail(.enhanceYourCalm) }
        buffer.moveReaderIndex(forwardBy: skipped - max(0, stop))
        if buffer.readableBytes > 0, !isDeaf { pass(buffer, context) }
    }

    /// The beginning of a frame's header stays here for as long as it may be one that is left out.
    private func forward(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var buffer = bytes
        if var before = held {
            held = nil
            before.writeImmutableBuffer(buffer)
            buffer = before
        }
        if awaitsAcknowledgement, inbound.partialCount > 0 {
            let whole = buffer.readableBytes - inbound.partialCount
            held = buffer.getSlice(at: buffer.readerIndex + whole, length: inbound.partialCount)
            buffer = buffer.getSlice(at: buffer.readerIndex, length: whole) ?? ByteBuffer()
        }
        if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
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
        gather(unwrapOutboundIn(data), promise, context)
        guard isFatal else { return }
        isDeaf = true
        isMute = true
        connection.failed()
    }

    private func gather(_ piece: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard promise == nil, piece.readableBytes <= Self.smallPiece else {
            passGathered(context)
            return context.write(wrapOutboundOut(piece), promise: promise)
        }
        if gathered.readableBytes + piece.readableBytes > Self.mostGathered { passGathered(context) }
        gathered.writeImmutableBuffer(piece)
    }

    private func passGathered(_ context: ChannelHandlerContext) {
        guard gathered.readableBytes > 0 else { return }
        let bytes = gathered
        gathered = ByteBuffer()
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// One stream is flushed at once; of several, others may be about to end as well.
    func flush(context: ChannelHandlerContext) {
        guard connection.hasSeveralStreams else { return flushNow() }
        guard !flushIsDue else { return }
        flushIsDue = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            bound.value.flushIsDue = false
            bound.value.flushNow()
        }
    }

    /// Nothing is kept back.
    func flushNow() {
        guard let context = channelContext else { return }
        passGathered(context)
        context.flush()
    }

    /// Asked how much is still to be written, the channel must know of all of it; and what is written in order to wait for
    /// the rest is bytes, which the library above takes for none of its frames.
    func closeBehindWrites() {
        flushNow()
        channelContext?.closeBehindWrites(outputIsEnding: false)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flushNow()
        context.close(mode: mode, promise: promise)
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
        if let context = channelContext { gather(frame, nil, context) }
    }

    /// A DATA frame has reached its stream.
    func delivered() { flood.delivered() }

    func becameIdle() { flood.becameIdle() }
}
